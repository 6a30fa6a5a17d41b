"""A model as a machine: a state in which each relation is a set of tuples, and actions that are taken.

The guards, effects, axioms and conjuncts are those of the models that are proved, and nothing else.
"""
from dataclasses import dataclass

import z3

from checker.ground import CONSTANTS, ORDERS
from checker.logic import symbols
from checker.tasks import build
from replay.compiling import Compiler, domain, index
from replay.formulas import column, declare, joined, parameter, plain


LOOKED_UP = {
    ("showed_round", (0, 1, 2)), ("watermark", (0, 1)), ("inherited", (0,)), ("showed", (0, 1)), ("chosen", (1,)),
    ("history", (0,)), ("floor", (0,)), ("fixed", (0, 1)), ("handed", (0,)),
}
"""Indexes that those who take actions look things up in."""


@dataclass
class Rule:
    """An action as code."""

    name: str
    parameters: list
    guards: list
    """Pairs of a name and a function of the parameters."""
    effects: list
    """Triples of a relation, a function of the parameters, and whether what was there stays."""


class Rejected(Exception):
    """The model does not allow what happened."""

    def __init__(self, action, what, values):
        super().__init__(f"{action}: {what}")
        self.action, self.what, self.values = action, what, values


class Machine:
    """One model, and its present state."""

    def __init__(self, name):
        self.model = build(name)
        self.compiler = Compiler()
        self.space = {}
        self.sorts = {relation: sorts for relation, (_, sorts) in self.model.relations.items()}
        for relation, function in self.model.fixed.items():
            self.sorts[relation] = [function.domain(k) for k in range(function.arity())]
        self.elements = {sort.name(): [] for sorts in self.sorts.values() for sort in sorts}
        for action in self.model.actions:
            declare(action)
        self.rules = {action.name: self._rule(action) for action in self.model.actions}
        self.kept = [c for c in self.model.conjuncts if c.kind != "step"]
        self.conjuncts = {c.name: self._search(self.model.state(c, self.model.here)) for c in self.kept}
        # Axioms of orders alone are true of numbers.
        self.axioms = {name: self._search(formula) for name, _, formula in self.model.axioms
                       if symbols(formula) - ORDERS - CONSTANTS.keys()}
        self.compiler.indexes.update(LOOKED_UP)
        self.guard_count = 0
        self._make_tables()

    def _make_tables(self):
        self.space.update({domain(sort): elements for sort, elements in self.elements.items()})
        self.space["FOCUS"] = self.focus = set()
        self.indexes = {name: [] for name in self.sorts}
        for name in self.sorts:
            self.space[name] = set()
        for name, known in self.compiler.indexes:
            rest = tuple(k for k in range(len(self.sorts[name])) if k not in known)
            self.space[index(name, known)] = table = {}
            self.indexes[name].append((known, rest, table))

    def _function(self, parameters, expression):
        code = f"lambda {', '.join(parameters)}: {expression}"
        return eval(compile(code, "model", "eval"), self.space)  # noqa: S307

    def _rule(self, action):
        names = declare(action)
        arguments = [parameter(name) for name in names]
        guards = [(guard, self._function(arguments, self.compiler.test(plain(formula))))
                  for guard, formula in action.guards]
        effects = [self._effect(name, effect, arguments) for name, effect in action.effects.items()]
        return Rule(action.name, names, guards, effects)

    def _effect(self, name, effect, arguments):
        sorts = self.sorts[name]
        columns = [(column(k), sort.name()) for k, sort in enumerate(sorts)]
        body = plain(effect(*[z3.Const(column(k), sort) for k, sort in enumerate(sorts)]))
        base = ("holds", True, name, [each for each, _ in columns])
        branches = body[1] if body[0] == "or" else [body]
        new = joined("or", [branch for branch in branches if branch != base])
        return name, self._function(arguments, self.compiler.tuples(columns, new)), base in branches

    def _search(self, formula):
        """Two functions that find what contradicts a sentence: for all slots, and for slots in focus."""
        told = plain(formula, positive=False)
        variables, body = (told[1], told[2]) if told[0] == "some" else ([], told)
        slots = [(name, "FOCUS") for name, sort in variables if sort == "Slot"]
        if not variables:
            return [self._function([], f"({{}} if {self.compiler.test(body)} else None)")] * 2
        everywhere = self.compiler.counterexample(variables, body)
        focused = self.compiler.counterexample(variables, body, slots)
        return [self._function([], everywhere), self._function([], focused)]

    def reset(self):
        """Forgets everything."""
        for elements in self.elements.values():
            elements.clear()
        for name in self.sorts:
            self.space[name].clear()
            for _, _, table in self.indexes[name]:
                table.clear()
        self.focus.clear()

    def begin(self):
        """Fills what does not begin empty, once the elements are known."""
        for part in self.model.parts:
            for name, function in part.initially:
                sorts = self.sorts[name]
                columns = [(column(k), sort.name()) for k, sort in enumerate(sorts)]
                body = plain(function(*[z3.Const(column(k), sort) for k, sort in enumerate(sorts)]))
                for row in self._function([], self.compiler.tuples(columns, body))():
                    self.add(name, row)

    def holds(self, name, *row):
        """Whether a relation holds."""
        return (row[0] if len(row) == 1 else row) in self.space[name]

    def look_up(self, name, known, key):
        """What the other columns of a relation are where the columns `known` are `key`."""
        return self.space[index(name, known)].get(key, ())

    def rows(self, name):
        """All tuples of a relation."""
        return self.space[name]

    def add(self, name, row):
        """Makes a tuple of a relation true."""
        table = self.space[name]
        if row in table:
            return
        table.add(row)
        for known, rest, by in self.indexes[name]:
            key = row[known[0]] if len(known) == 1 else tuple(row[k] for k in known)
            left = row[rest[0]] if len(rest) == 1 else tuple(row[k] for k in rest)
            by.setdefault(key, []).append(left)

    def replace(self, name, rows):
        self.space[name].clear()
        for _, _, table in self.indexes[name]:
            table.clear()
        for row in rows:
            self.add(name, row)

    def take(self, action, **values):
        """Takes an action. Raises `Rejected` if a guard forbids it."""
        rule = self.rules[action]
        given = [values[name] for name in rule.parameters]
        for guard, allows in rule.guards:
            self.guard_count += 1
            if not allows(*given):
                raise Rejected(action, f"guard: {guard}", values)
        news = [(name, effect(*given), stays) for name, effect, stays in rule.effects]
        for name, rows, stays in news:
            if not stays:
                self.replace(name, rows)
                continue
            for row in rows:
                self.add(name, row)

    def check(self, is_everywhere):
        """Raises `Rejected` if a conjunct or an axiom is not true: of all slots, or of those in focus."""
        for kind, sentences in (("conjunct", self.conjuncts), ("axiom", self.axioms)):
            for name, (everywhere, focused) in sentences.items():
                found = everywhere() if is_everywhere else focused()
                if found is not None:
                    raise Rejected(kind, name, {key.rsplit("_", 1)[0]: v for key, v in found.items()})

