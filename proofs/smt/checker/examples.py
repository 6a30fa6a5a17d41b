"""Examples on small universes: that assumptions can be true, that actions can happen, that a conjunct can be
broken."""
from dataclasses import dataclass
from functools import lru_cache

import z3

from checker.ground import Ground, conjoin, disjoin, negate

UNIVERSES = (
    {"Round": 3, "Quorum": 2, "Epoch": 2},
    {"Round": 4, "Acceptor": 2, "Matchmaker": 2, "Slot": 1, "Archive": 1, "ArchiveMajority": 1,
     "Quorum": 3, "Majority": 3, "Epoch": 2},
    {"Round": 4, "Acceptor": 3, "Matchmaker": 3, "Quorum": 3, "Majority": 3, "Slot": 1, "Archive": 1,
     "ArchiveMajority": 1, "Epoch": 3},
)
"""How many elements each sort has; two if it is not named."""


@dataclass
class Example:
    """A state, a step from it, and the state after: all tuples that are true."""

    fixed: list
    before: list
    step: str
    appears: list
    disappears: list

    def __str__(self):
        lines = ["  assumed: " + ", ".join(self.fixed), "  before:  " + ", ".join(self.before)]
        if self.step:
            lines.append("  step:    " + self.step)
            lines.append("  then:    " + ", ".join(self.appears))
        if self.disappears:
            lines.append("  no more: " + ", ".join(self.disappears))
        return "\n".join(lines)


def batches(items, size):
    """The items, some at a time."""
    return [items[k:k + size] for k in range(0, len(items), size)]


class Examples:
    """Looks for examples of one model."""

    def __init__(self, model, sizes):
        self.model = model
        self.ground = Ground(model, sizes)
        self.ground.state = self.ground.unknown_state()
        self.solver = z3.SolverFor("QF_FD")
        for truth in self.ground.axioms():
            self._assert(self.solver, truth)
        for conjunct in model.conjuncts:
            if conjunct.kind in ("conjunct", "conclusion"):
                self._assert(self.solver, self.ground.value(model.state(conjunct, model.here)))

    @staticmethod
    def _assert(solver, truth):
        solver.add(z3.BoolVal(truth) if isinstance(truth, bool) else truth)

    def state(self):
        """Whether some state fulfils all axioms and the invariant."""
        return self.solver.check() == z3.sat

    def step(self, action, broken=None):
        """A step of `action` that changes something, from a state that fulfils the invariant; or one that
        breaks a conjunct, or obeys no step property, if `broken` names one. `None` if there is none."""
        chances = []
        for choice in self.ground.choices(action, {}):
            guard = conjoin(self.ground.value(formula, choice) for _, formula in action.guards)
            if guard is not False:
                wanted = self._changes(action, choice) if broken is None else self._breaks(
                    action, choice, broken)
                chances.append((conjoin([guard, wanted]), choice))
        for few in batches(chances, 16):
            self.solver.push()
            taken = [z3.Bool(f"choice{k}") for k in range(len(few))]
            for take, (truth, _) in zip(taken, few):
                self._assert(self.solver, disjoin([z3.Not(take), truth]))
            self.solver.add(z3.Or(taken))
            if self.solver.check() == z3.sat:
                model = self.solver.model()
                choice = next(c for take, (_, c) in zip(taken, few) if z3.is_true(model[take]))
                example = self._example(action, choice)
                self.solver.pop()
                return example
            self.solver.pop()
        return None

    def broken_safety(self, conjunct):
        """A state that fulfils the invariant but not what should follow from it."""
        self.solver.push()
        self._assert(self.solver, negate(self.ground.value(
            self.model.state(conjunct, self.model.here))))
        found = self.solver.check() == z3.sat
        example = self._example(None, {}) if found else None
        self.solver.pop()
        return example

    def _breaks(self, action, choice, conjunct):
        after = action.after(self.model)
        if conjunct.kind == "step":
            goal = self.model.step(conjunct, self.model.here, after)
        else:
            goal = self.model.state(conjunct, after)
        return negate(self.ground.value(goal, choice))

    def _changes(self, action, choice):
        news = [z3.BoolVal(new != old) if isinstance(new, bool) and isinstance(old, bool) else new != old
                for name, after in self._after(action, choice).items()
                for xs, new in after.items() for old in [self.ground.state[name][xs]] if new is not old]
        return z3.Or(news)

    def _after(self, action, choice):
        return {
            name: {xs: self.ground.value(body, {**choice, **{f"column{i}": x for i, x in enumerate(xs)}})
                   for xs in self.ground.state[name]}
            for name, body in self.ground.effects(action).items()
        }

    def _example(self, action, choice):
        model = self.solver.model()

        def holds(truth):
            return truth if isinstance(truth, bool) else z3.is_true(model.eval(truth, True))

        def told(name, xs):
            return f"{name}({','.join(map(str, xs))})" if xs else name
        orders = ("at_most", "not_after")
        fixed = [told(n, xs) for n, table in self.ground.fixed.items() if n not in orders
                 for xs, truth in table.items() if holds(truth)]
        before = [told(n, xs) for n, table in self.ground.state.items()
                  for xs, truth in table.items() if holds(truth)]
        if action is None:
            return Example(fixed, before, "", [], [])
        appears, disappears = [], []
        for name, after in self._after(action, choice).items():
            for xs, truth in after.items():
                was = holds(self.ground.state[name][xs])
                if holds(truth) != was:
                    (disappears if was else appears).append(told(name, xs))
        given = ", ".join(f"{k}={set(v) or '{}' if isinstance(v, frozenset) else v}"
                          for k, v in choice.items())
        return Example(fixed, before, f"{action.name}({given})", appears, disappears)


@lru_cache(maxsize=4)
def examples_of(model, universe):
    """The examples of a model on one of the universes."""
    return Examples(model, UNIVERSES[universe])


def counterexample(model, obligation):
    """An example of what breaks an obligation, on the first universe that has one."""
    conjunct = next(c for c in model.conjuncts if c.name == obligation.conjunct)
    for universe in range(len(UNIVERSES)):
        examples = examples_of(model, universe)
        if obligation.kind == "safety":
            found = examples.broken_safety(conjunct)
        elif obligation.kind == "init":
            return None
        else:
            action = next(a for a in model.actions if a.name == obligation.action)
            found = examples.step(action, conjunct)
        if found:
            return found
    return None


def vacuous(model):
    """What is vacuous in a model: the assumptions, the invariant, or actions that never do anything."""
    if all(not Examples(model, sizes).state() for sizes in UNIVERSES):
        return ["no state fulfils the axioms and the invariant"]
    idle = list(model.actions)
    for sizes in UNIVERSES:
        if idle:
            examples = Examples(model, sizes)
            idle = [action for action in idle if examples.step(action) is None]
    return [f"{action.name} never does anything" for action in idle]

