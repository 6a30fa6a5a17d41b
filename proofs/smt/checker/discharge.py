"""Obligations, and the solvers that discharge them.

For a model with invariant I (its conjuncts):

- `init`: each conjunct holds in the first state;
- `keep`: each action keeps each conjunct: I, the action, and not the conjunct afterwards, cannot be;
- `safety`: what I implies;
- `step`: what each action does, given I.

A solver answers `unsat`: proved. Anything else, a timeout as well, is *not proved*. Solvers may need
less than all of I, and find it sooner with less: so each obligation is tried with the conjunct alone,
with those that it names (`using`), then with all, and with other seeds.
"""
import time
from dataclasses import dataclass

from z3 import Not

from checker.logic import symbols

QUICK_MS = 2_000


@dataclass(frozen=True)
class Obligation:
    """One thing to prove, by the names of what it is about."""

    kind: str
    action: str
    conjunct: str

    def __str__(self):
        if self.kind == "keep":
            return f"{self.action} keeps {self.conjunct}"
        if self.kind == "step":
            return f"{self.action} obeys {self.conjunct}"
        return f"{self.kind} => {self.conjunct}"


@dataclass
class Verdict:
    """What became of an obligation."""

    obligation: Obligation
    result: str
    """`proved`, `refuted` or `unknown`."""
    seconds: float
    by: str
    """With which hypotheses it was proved, or `frame`: the action changes nothing of it."""


def obligations(model):
    """All obligations of a model."""
    found = []
    for conjunct in model.conjuncts:
        if conjunct.kind == "safety":
            found.append(Obligation("safety", "", conjunct.name))
            continue
        if conjunct.kind != "step":
            found.append(Obligation("init", "", conjunct.name))
        kind = "step" if conjunct.kind == "step" else "keep"
        found.extend(Obligation(kind, action.name, conjunct.name) for action in model.actions)
    return found


class Prover:
    """Discharges obligations of one model with one solver."""

    def __init__(self, model, solve, timeout_ms):
        self.model, self.solve, self.timeout_ms = model, solve, timeout_ms
        self.by_name = {c.name: c for c in model.conjuncts}
        self.actions = {a.name: a for a in model.actions}
        self.axioms = [formula for _, _, formula in model.axioms]
        self.kept = {
            c.name: model.state(c, model.here) for c in model.conjuncts if model.is_kept(c)
        }

    def discharge(self, obligation):
        """Tries to prove an obligation."""
        begun = time.monotonic()
        conjunct = self.by_name[obligation.conjunct]
        if obligation.kind == "init":
            goal = self.model.state(conjunct, self.model.here)
            formulas = [*self.axioms, *self.model.initial(), Not(goal)]
            result = self.solve(formulas, self.timeout_ms, 0)
            return self._verdict(obligation, result, begun, "init")
        premises, goal = self._goal(obligation, conjunct)
        if goal is None:
            return Verdict(obligation, "proved", 0.0, "frame")
        result, by = "unknown", ""
        for by, names, timeout_ms, seed in self._tries(conjunct):
            hypotheses = [self._kept(name) for name in names]
            formulas = [*self.axioms, *hypotheses, *premises, Not(goal)]
            result = self.solve(formulas, timeout_ms, seed)
            if result == "proved" or (result == "refuted" and by == "all"):
                break
        if result == "refuted" and by != "all":
            result = "unknown"
        return self._verdict(obligation, result, begun, by)

    def _kept(self, name):
        if name in self.kept:
            return self.kept[name]
        return self.model.state(self.by_name[name], self.model.here)

    def _goal(self, obligation, conjunct):
        if obligation.kind == "safety":
            return [], self.model.state(conjunct, self.model.here)
        action = self.actions[obligation.action]
        here, after = self.model.here, action.after(self.model)
        if obligation.kind == "step":
            goal = self.model.step(conjunct, here, after)
            touched = symbols(self.model.step(conjunct, here, here))
        else:
            goal = self.model.state(conjunct, after)
            touched = symbols(self.model.state(conjunct, here))
        if obligation.kind == "keep" and not touched & set(action.effects):
            return [], None
        return [action.guard], goal

    def _tries(self, conjunct):
        everything = list(self.kept)
        if conjunct.kind == "conclusion":
            everything = [*everything, conjunct.name]
        itself = [] if conjunct.kind in ("safety", "step") else [conjunct.name]
        named = list(dict.fromkeys([*itself, *conjunct.using]))
        yield "itself", itself, QUICK_MS, 0
        if conjunct.using:
            yield "named", named, 3 * QUICK_MS, 0
        yield "all", everything, 2 * QUICK_MS, 0
        if conjunct.using:
            yield "named", named, self.timeout_ms, 1
        for seed in (1, 2):
            yield "all", everything, self.timeout_ms, seed

    @staticmethod
    def _verdict(obligation, result, begun, by):
        return Verdict(obligation, result, time.monotonic() - begun, by)
