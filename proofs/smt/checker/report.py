"""What the one who asked sees: progress on a terminal, a table at the end, everything as JSON."""
import json
import sys

from checker.tasks import build, definition
from models.catalogue import MODELS

COLUMNS = ("model", "what", "sorts", "actions", "conjuncts", "proved", "runs", "mutants", "cpu s")


class Report:
    """Collects outcomes."""

    def __init__(self, total):
        self.total, self.outcomes = total, []

    def add(self, outcome):
        self.outcomes.append(outcome)
        if sys.stderr.isatty():
            task = outcome.task
            line = f"{len(self.outcomes)}/{self.total} {task.model} {task.kind} {task.subject}"
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)

    def finish(self, is_verbose):
        """Prints what went wrong, and the table. Whether all is well."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        for outcome in self.outcomes:
            if is_verbose:
                tell(outcome)
            for fault in outcome.faults:
                print(f"{outcome.task.model}: {fault}\n")
        names = [name for name in MODELS if any(o.task.model == name for o in self.outcomes)]
        print(table([COLUMNS, *[self.row(name) for name in names]]))
        return not any(outcome.faults for outcome in self.outcomes)

    def row(self, name):
        model = build(name)
        of_model = [outcome for outcome in self.outcomes if outcome.task.model == name]

        def tally(kind):
            of_kind = [outcome for outcome in of_model if outcome.task.kind == kind]
            return f"{sum(o.done for o in of_kind)}/{sum(o.total for o in of_kind)}"
        sorts = {sort.name() for _, sorts in model.relations.values() for sort in sorts}
        seconds = sum(outcome.seconds for outcome in of_model)
        return (name, MODELS[name], len(sorts), len(model.actions), len(model.conjuncts),
                tally("prove"), tally("run"), tally("mutant"), f"{seconds:.1f}")


def tell(outcome):
    """What was done and found, for `--verbose`."""
    task = outcome.task
    print(f"{task.model} {task.kind} {task.subject} {task.solver} {outcome.seconds:.1f} s")
    for line in outcome.story:
        print("  " + (f"{line[0]}: {line[1]}, {line[2]:.2f} s" if isinstance(line, tuple) else str(line)))


def table(rows):
    """Rows in columns; the first row is the head."""
    widths = [max(len(str(row[k])) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def describe(names):
    """The models as data: for each action its handler, guards and what it changes."""
    return {name: describe_model(name) for name in names}


def describe_model(name):
    model = build(name)
    return {
        "says": " ".join(definition(name).__doc__.split()),
        "axioms": {axiom: says for axiom, says, _ in model.axioms},
        "actions": [
            {
                "name": action.name, "handler": action.handler, "says": action.says,
                "parameters": [str(p) for p in action.parameters],
                "guards": [guard for guard, _ in action.guards],
                "changes": list(action.effects), "mutants": sorted(action.mutants),
            }
            for action in model.actions
        ],
        "conjuncts": [
            {"name": c.name, "property": c.property, "kind": c.kind, "says": c.says}
            for c in model.conjuncts
        ],
        "mutants": [{"name": m.name, "says": m.says, "breaks": m.breaks} for m in model.mutants.values()],
    }


def list_models(names, as_json):
    """Prints the models: as data, or to be read."""
    described = describe(names)
    if as_json:
        return print(json.dumps(described, indent=1))
    for name, model in described.items():
        print(f"{name}: {model['says']}\n")
        for action in model["actions"]:
            print(f"  {action['name']}  ({action['handler']})\n    {action['says']}")
            print("".join(f"    - {guard}\n" for guard in action["guards"]))
        for conjunct in model["conjuncts"]:
            print(f"  {conjunct['kind']} {conjunct['name']} {conjunct['property']}\n    {conjunct['says']}")
        print()
