"""The table of docs/invariants.md that tells who judges each property: read from the sources of all three."""
import os
import re

from checker.tables import markdown, where
from checker.tasks import build
from models.catalogue import MODELS

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
BEGIN, END = "<!-- judges -->", "<!-- end of judges -->"
EVERY = "models.rs"
"""Where the properties are that every model has."""


def sources(folder):
    """The Rust files of a folder, by name, with what they say."""
    path = os.path.join(ROOT, folder)
    for name in sorted(os.listdir(path)):
        if name.endswith(".rs"):
            with open(os.path.join(path, name), encoding="utf-8") as file:
                yield name, file.read()


def simulated():
    """The file of the simulator that checks each property, and its name."""
    found = {}
    for folder in ("", "bpaxos/"):
        for file, text in sources(f"simulator/src/properties/{folder}"):
            for property_, name in re.findall(r'id: "([A-Z]\d+)",\s*name: "([^"]+)"', text):
                if property_ != "S0":
                    found[property_] = (name, folder + file)
    return found


def modelled():
    """The files of models that check each property."""
    found, files = {}, []
    for file, text in sources("proofs/src/models"):
        files.append(file)
        for property_ in re.findall(r'always\("([A-Z]\d+) ', text):
            found.setdefault(property_, []).append(file)
    for file, text in sources("proofs/src"):
        if file == EVERY:
            for property_ in re.findall(r'always\("([A-Z]\d+) ', text):
                found[property_] = files
    return {property_: [file[:-len(".rs")] for file in names] for property_, names in found.items()}


def proved():
    """The models that prove each property, and the conjuncts that state it."""
    found = {}
    for name in MODELS:
        for conjunct in build(name).conjuncts:
            if conjunct.property:
                conjuncts, names = found.setdefault(conjunct.property, ({}, {}))
                conjuncts.setdefault(conjunct.kind, {})[conjunct.name] = None
                names[name] = None
    return found


def row(property_, name, file, models, proofs):
    """What states a property itself is named; else the conjuncts that serve it are."""
    conjuncts, names = proofs
    served = {name: None for of_kind in conjuncts.values() for name in of_kind}
    stated = conjuncts.get("safety") or served
    proof = ", ".join(f"`{conjunct}`" for conjunct in stated)
    return (f"{property_} {name}", f"`{file}`", " ".join(models) or "-", proof or "-", where(names) or "-")


def judges():
    """Simulator, models and proofs, by property."""
    models, proofs = modelled(), proved()
    order = sorted(simulated().items(), key=lambda item: ("AHBDL".index(item[0][0]), int(item[0][1:])))
    rows = [row(property_, name, file, models.get(property_, []), proofs.get(property_, ({}, {})))
            for property_, (name, file) in order]
    return markdown(("property", "simulator", "models", "stated in the proofs", "proved of"), rows)


def written_into(text):
    """A text with the table in its place."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{judges()}\n\n{END}{rest.split(END)[1]}"
