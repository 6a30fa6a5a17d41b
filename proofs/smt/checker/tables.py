"""The tables of docs/proofs.md, made from the models."""
from checker.tasks import build, definition
from models.catalogue import MODELS

BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"


def markdown(head, rows):
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def tables():
    """Actions with handlers and guards; conjuncts by the property that they state or serve; bugs."""
    parts = [BEGIN, "### Actions", actions(), "### Conjuncts", conjuncts(), "### Bugs", bugs(), END]
    return "\n\n".join(parts)


def where(names):
    """The letters of models."""
    return " ".join(MODELS[name] for name in names)


def actions():
    found = {}
    for name in MODELS:
        for action in build(name).actions:
            guards = "; ".join(guard for guard, _ in action.guards)
            found.setdefault((action.name, action.handler, guards), []).append(name)
    rows = [(f"`{action}`", f"`{handler}`", guards, where(names))
            for (action, handler, guards), names in found.items()]
    return markdown(("action", "abstracts", "guards", "models"), rows)


def conjuncts():
    found = {}
    for name in MODELS:
        for conjunct in build(name).conjuncts:
            key = (conjunct.property or "-", conjunct.kind, conjunct.name, conjunct.says)
            found.setdefault(key, []).append(name)
    order = sorted(found.items(), key=lambda item: (item[0][0][0], int(item[0][0][1:] or 0)))
    rows = [(property_, f"`{conjunct}`", kind, says.replace("|", "/"), where(names))
            for (property_, kind, conjunct, says), names in order]
    return markdown(("property", "name", "kind", "what it says", "models"), rows)


def bugs():
    found = {}
    for name in MODELS:
        harm = getattr(definition(name), "HARM", {})
        for mutant in build(name).mutants.values():
            key = (mutant.name, mutant.says, mutant.breaks)
            models, shown = found.setdefault(key, ([], []))
            models.append(name)
            shown.extend([name] if mutant.name in harm else [])
    rows = [(bug, says, f"`{breaks}`", where(models), where(shown) or "-")
            for (bug, says, breaks), (models, shown) in sorted(found.items())]
    return markdown(("bug", "what is wrong", "breaks", "models", "harm shown by a run"), rows)


def written_into(text):
    """A text with the tables in their place."""
    before, rest = text.split(BEGIN)
    return before + tables() + rest.split(END)[1]
