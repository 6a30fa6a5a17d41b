"""Bugs in the code that the model must not allow (`simulator mutations --list`), and what rejects each."""
from dataclasses import dataclass

BUGS = [
    "R01", "R03", "R03b", "R03c", "R04", "R04b", "R06", "R08", "R08x", "R09", "R10", "R11", "R11x", "R12", "R12x",
    "R13", "R14", "R15", "R15x", "R16", "R18", "R19", "R20", "R21", "R22", "R23", "R24", "R25", "R25x", "R26",
    "R27", "R28", "R29", "R30", "R30a", "R30b", "R30c", "R30f", "R30g", "R30h", "R30i", "R30j", "R30k", "R30l",
    "R30m", "R30n", "R31", "R32", "R32b", "R33", "R34", "R35", "R36", "R37a", "R37b", "R39", "R40", "R41", "R43",
    "R43x", "R73", "R73x", "R74b", "R74d", "R90", "R92",
]

SOME = [
    "R01", "R08x", "R10", "R11", "R14", "R21", "R24", "R28", "R30", "R30b", "R30j", "R33", "R35", "R37a", "R37b",
    "R43x", "R73",
]
"""Those of different guards that a few runs show."""

UNSEEN = {
    "an assertion of the role stops the run before the step counts": ["R05", "R17", "R30d"],
    "it takes a rare run: a crash, a leader and a lower leader at the right time": [
        "R02", "R07", "R15b", "R38", "R38b", "R43b"],
    "which archives count is not in the events, only that they have the slot": ["R91", "R93"],
    "the decree is not in the events, only what comes of it": ["R42"],
}
"""Bugs of what the model has that it does not reject within these runs, by the reason."""


@dataclass
class Tried:
    """A bug, and the first run in which the model does not allow what it did."""

    name: str
    by: str
    seed: int

    @property
    def is_rejected(self):
        return self.seed >= 0


def try_bugs(batch, seeds, bugs):
    """Puts in one bug after the other until a run is rejected."""
    tried = []
    for name in bugs:
        outcome = batch.run(seeds, name, stops=True)
        first = min(outcome.rejections, key=lambda rejection: rejection.seed, default=None)
        if first:
            tried.append(Tried(name, f"`{first.action}`: {first.what}", first.seed))
        else:
            tried.append(Tried(name, "nothing", -1))
        print(f"{name:<6} {tried[-1].seed:>5} {tried[-1].by}", flush=True)
    return tried
