"""Bugs in the code that the model must not allow: `simulator run --mutation`, and what rejects each."""
from dataclasses import dataclass

BUGS = []
CI_BUGS = []


@dataclass
class Tried:
    """A bug, and the first run in which the model does not allow what it did."""

    name: str
    by: str
    seeds_needed: int
    is_as_meant: bool


def try_bugs(batch, seeds, bugs):
    """Puts in one bug after the other until a run is rejected."""
    tried = []
    for name in bugs:
        outcome = batch.run(seeds, name, stops=True)
        first = min(outcome.rejections, key=lambda rejection: rejection.seed, default=None)
        by = f"`{first.action}`: {first.what}" if first else "nothing"
        bug = Tried(name, by, first.seed - seeds[0] + 1 if first else 0, first is not None)
        print(f"{bug.name:<6} {bug.seeds_needed:>5} {bug.by}", flush=True)
        tried.append(bug)
    return tried
