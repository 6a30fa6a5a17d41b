"""Runs from the first state, on small universes.

A run is written as the actions that may happen, in order: `start_matching(i=1) on_match_a(i=1)*2 ...`. The
world chooses the parameters that are not given, and may leave steps out. `find` asks for choices that reach a
goal; so a run is an example, and a run of a mutant to two chosen values is harm done.
"""
import re
from dataclasses import dataclass

import z3

from checker.ground import Ground, conjoin, disjoin, negate

STEP = re.compile(r"(\w+)(?:\(([^)]*)\))?(?:\*(\d+))?$")


@dataclass(frozen=True)
class Run:
    """A run that is looked for."""

    steps: str
    sizes: tuple
    """Pairs of a sort and how many elements it has."""
    breaks: str = ""
    """The safety property that the run ends in breaking; empty if `goal` says where it ends."""
    goal: object = None
    """A function from the last state to a formula."""


@dataclass(frozen=True)
class Happened:
    """One step of a run that was found."""

    action: str
    parameters: dict

    def __str__(self):
        told = ", ".join(f"{k}={sorted(v) if isinstance(v, frozenset) else v}"
                         for k, v in self.parameters.items())
        return f"{self.action}({told})"


def parse(steps):
    """The steps of a run: name and given parameters."""
    for word in re.sub(r",\s+", ",", steps).split():
        match = STEP.match(word)
        if not match:
            raise ValueError(f"not a step: {word}")
        name, given, count = match.groups()
        pairs = [pair.split("=") for pair in given.split(",")] if given else []
        for _ in range(int(count or 1)):
            yield name, {key: int(value) for key, value in pairs}


class Search:
    """Looks for a run of a model."""

    def __init__(self, model, run):
        self.model, self.run = model, run
        self.ground = Ground(model, dict(run.sizes))
        self.solver = z3.SolverFor("QF_FD")
        self.fired = []
        self.actions = {action.name: action for action in model.actions}

    def find(self, timeout_ms):
        """The steps of a run that reaches the goal, `None` if there is none; raises `TimeoutError`."""
        ground = self.ground
        self.solver.set("timeout", timeout_ms)
        for truth in ground.axioms():
            self._assert(truth)
        ground.state = ground.first_state()
        for number, (name, given) in enumerate(parse(self.run.steps)):
            self._step(number, self.actions[name], given)
        self._assert(self._goal())
        answer = self.solver.check()
        if answer == z3.unknown:
            raise TimeoutError("no answer in time")
        if answer == z3.unsat:
            return None
        return self._shortest()

    def _shortest(self):
        """The steps of the run, without those that it can do without."""
        wanted = self._happened()
        for fire in list(wanted):
            fewer = [other for other in wanted if other is not fire]
            off = [z3.Not(other) for other, _ in self.fired if not any(other is f for f in fewer)]
            if self.solver.check(*off) == z3.sat:
                wanted = self._happened()
        return list(wanted.values())

    def _happened(self):
        model = self.solver.model()
        return {fire: happened for fire, happened in self.fired if z3.is_true(model[fire])}

    def _assert(self, truth):
        self.solver.add(z3.BoolVal(truth) if isinstance(truth, bool) else truth)

    def _goal(self):
        if self.run.goal:
            return self.ground.value(self.run.goal(self.model.here))
        conjunct = next(c for c in self.model.conjuncts if c.name == self.run.breaks)
        return negate(self.ground.value(self.model.state(conjunct, self.model.here)))

    def _step(self, number, action, given):
        ground, fires = self.ground, []
        for k, choice in enumerate(ground.choices(action, given)):
            guard = conjoin(ground.value(formula, choice) for _, formula in action.guards)
            if guard is False:
                continue
            fire = z3.Bool(f"fire{number}.{k}")
            if guard is not True:
                self.solver.add(z3.Implies(fire, guard))
            fires.append((fire, choice))
            self.fired.append((fire, Happened(action.name, choice)))
        if len(fires) > 1:
            self.solver.add(z3.PbLe([(fire, 1) for fire, _ in fires], 1))
        changed = {
            name: self._changed(number, action, name, body, fires)
            for name, body in ground.effects(action).items()
        }
        ground.state = {**ground.state, **changed}

    def _changed(self, number, action, name, body, fires):
        ground, old = self.ground, self.ground.state[name]
        after = {xs: [] for xs in old}
        for fire, choice in fires:
            for xs in old:
                columns = {f"column{i}": x for i, x in enumerate(xs)}
                value = ground.value(body, {**choice, **columns})
                if value is not old[xs]:
                    after[xs].append((fire, value))
        result = {}
        for xs, changes in after.items():
            if not changes:
                result[xs] = old[xs]
                continue
            kept = conjoin([old[xs], *[z3.Not(fire) for fire, _ in changes]])
            truth = disjoin([kept, *[conjoin([fire, value]) for fire, value in changes]])
            symbol = z3.Bool(f"{name}@{number}{xs}")
            self._assert(symbol == truth if not isinstance(truth, bool) else symbol == z3.BoolVal(truth))
            result[xs] = symbol if not isinstance(truth, bool) else truth
        return result
