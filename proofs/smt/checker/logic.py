"""The language of the models: sorts, relations, actions, conjuncts.

A *part* describes one role: what it remembers (relations), what it does (actions), and what is true of
it (conjuncts). A *model* is a few parts together. Everything is first-order: there is no number of
nodes anywhere, so what is proved holds for any.

A conjunct is a function whose first parameter is the state; the others, by their annotations, are
variables that it says something *for all* of. Its docstring is the sentence that a reader needs.

    @part.conjunct("A3")
    def one_value_per_round(s, r: Round, v: Value, x: Value):
        \"\"\"At most one value is proposed in a round.\"\"\"
        return implies(And(s.proposed(r, v), s.proposed(r, x)), v == x)

An action is a function of a step; its further parameters are chosen by the world. Guards come first,
effects after; all effects happen at once, and what is not named stays as it was.
"""
import inspect
from dataclasses import dataclass, field

from z3 import (
    And, BoolRef, BoolSort, BoolVal, Const, Exists, ForAll, FreshConst, Function, Implies, Not, Or,
    SortRef,
    is_app, is_quantifier, Z3_OP_UNINTERPRETED,
)

implies = Implies


@dataclass(frozen=True)
class SetOf:
    """The annotation of a parameter that is any set of elements of a sort."""

    sort: SortRef


def parameters_of(function, skip):
    """Constants named like the annotated parameters of `function` after the first `skip`."""
    found = []
    for name, annotation in annotations(function, skip):
        if isinstance(annotation, SetOf):
            found.append(Function(name, annotation.sort, BoolSort()))
        else:
            found.append(Const(name, annotation))
    return found


def annotations(function, skip):
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    return [(parameter.name, parameter.annotation) for parameter in parameters]


def variables(function, skip=0):
    """Fresh variables for the parameters of `function`: no two binders ever share a name."""
    return [FreshConst(sort, name) for name, sort in annotations(function, skip)]


def forall(function):
    """For all values of the parameters of `function`."""
    bound = variables(function)
    return ForAll(bound, function(*bound)) if bound else function()


def exists(function):
    """For some values of the parameters of `function`."""
    bound = variables(function)
    return Exists(bound, function(*bound))


def sentence(function):
    """The docstring as one line."""
    text = " ".join((function.__doc__ or "").split())
    if not text:
        raise ValueError(f"{function.__name__} is not explained")
    return text


@dataclass(frozen=True)
class Mutant:
    """A bug that is put in: the proof must fail, at the conjunct named."""

    name: str
    says: str
    breaks: str
    at: str = ""
    """The action that breaks it; if empty, one of those that the bug changes."""


@dataclass(frozen=True)
class Conjunct:
    """A part of the inductive invariant, or something that follows from it."""

    name: str
    property: str
    """The invariant of the project that it states or serves, for example A3."""
    says: str
    build: object
    kind: str
    """`conjunct`: used and kept. `conclusion`: kept, and used for nothing else. `safety`: follows from
    the conjuncts. `step`: true of each step."""
    using: tuple
    """Conjuncts that its proof is tried with before all others; empty for no preference."""


@dataclass(frozen=True)
class ActionRule:
    """An action as it is written."""

    name: str
    handler: str
    says: str
    build: object


@dataclass
class Part:
    """One role of the protocol, see the head of this file."""

    name: str
    relations: dict = field(default_factory=dict)
    fixed: dict = field(default_factory=dict)
    constants: list = field(default_factory=list)
    axioms: list = field(default_factory=list)
    initially: list = field(default_factory=list)
    actions: list = field(default_factory=list)
    conjuncts: list = field(default_factory=list)
    mutants: list = field(default_factory=list)

    def relation(self, name, *sorts):
        """Something that changes. Empty at first, unless `holds_initially` says otherwise."""
        self.relations[name] = sorts

    def fixed_relation(self, name, *sorts):
        """Something that is the same for ever, and arbitrary but for the axioms."""
        self.fixed[name] = Function(name, *sorts, BoolSort())
        return self.fixed[name]

    def constant(self, name, sort):
        self.constants.append(Const(name, sort))
        return self.constants[-1]

    def axiom(self, function):
        """An assumption on what is fixed."""
        self.axioms.append((function.__name__, sentence(function), function, None))
        return function

    def axiom_unless(self, mutant):
        """An axiom that the mutant leaves out."""
        def add(function):
            self.axioms.append((function.__name__, sentence(function), function, mutant))
            return function
        return add

    def holds_initially(self, relation):
        """What is in a relation that does not begin empty."""
        def add(function):
            self.initially.append((relation, function))
            return function
        return add

    def action(self, handler):
        """An action, and the handler of the code that it abstracts."""
        def add(function):
            self.actions.append(ActionRule(function.__name__, handler, sentence(function), function))
            return function
        return add

    def _stated(self, kind, property_, using):
        def add(function):
            name = function.__name__
            stated = Conjunct(name, property_, sentence(function), function, kind, tuple(using))
            self.conjuncts.append(stated)
            return function
        return add

    def conjunct(self, property_="", using=()):
        return self._stated("conjunct", property_, using)

    def conclusion(self, property_="", using=()):
        return self._stated("conclusion", property_, using)

    def safety(self, property_="", using=()):
        return self._stated("safety", property_, using)

    def step(self, property_="", using=()):
        return self._stated("step", property_, using)

    def mutant(self, name, says, breaks, at=""):
        """Declares a bug; the action or axiom after it says what it changes."""
        self.mutants.append(Mutant(name, says, breaks, at))


class State:
    """Access to relations by name: `s.voted(n, r, v)`."""

    def __init__(self, look_up):
        self._look_up = look_up

    def __getattr__(self, name):
        return lambda *columns: self._look_up(name, columns)


class Step:
    """What an action requires and does."""

    def __init__(self, model, mutant, parameters):
        self.before = State(model.present)
        self.parameters = parameters
        self.guards = []
        self.effects = {}
        self.mutants = set()
        self._model, self._mutant = model, mutant

    def has_bug(self, mutant):
        """Whether the bug is put in."""
        self.mutants.add(mutant)
        return mutant == self._mutant

    def require(self, name, formula, unless=()):
        """A guard by name, left out by the mutants named."""
        names = (unless,) if isinstance(unless, str) else unless
        if not any([self.has_bug(mutant) for mutant in names]):
            self.guards.append((name, formula))

    def add(self, relation, *columns):
        """Makes one tuple true."""
        self.add_where(relation, lambda *xs: And(*[x == c for x, c in zip(xs, columns)]))

    def add_where(self, relation, condition):
        """Makes all tuples true that fulfil a condition."""
        before, earlier = getattr(self.before, relation), self.effects.get(relation)
        base = earlier or before
        self.effects[relation] = lambda *xs: Or(base(*xs), condition(*xs))

    def assign(self, relation, condition):
        """Makes exactly those tuples true that fulfil a condition."""
        self.effects[relation] = condition


@dataclass
class Action:
    """An action as formulas, for one choice of mutant."""

    name: str
    handler: str
    says: str
    parameters: list
    guards: list
    effects: dict
    mutants: set

    @property
    def guard(self):
        return And(*[formula for _, formula in self.guards])

    def after(self, model):
        """The state after the action."""
        def look_up(name, columns):
            effect = self.effects.get(name)
            return effect(*columns) if effect else model.present(name, columns)
        return State(look_up)


class Model:
    """A few parts together, with one mutant or none."""

    def __init__(self, name, parts, mutant=None):
        self.name, self.parts, self.mutant = name, parts, mutant
        self.relations, self.fixed = {}, {}
        for part in parts:
            self.fixed.update(part.fixed)
            for relation, sorts in part.relations.items():
                symbol = Function(relation, *sorts, BoolSort())
                self.relations[relation] = (symbol, sorts)
        self.constants = [c for part in parts for c in part.constants]
        self.mutants = {m.name: m for part in parts for m in part.mutants}
        if mutant is not None and mutant not in self.mutants:
            raise KeyError(f"{name} has no mutant {mutant}")
        self.axioms = [
            (axiom, says, forall(function))
            for part in parts for axiom, says, function, unless in part.axioms
            if unless is None or unless != mutant
        ]
        self.actions = [self._action(rule) for part in parts for rule in part.actions]
        self.conjuncts = [c for part in parts for c in part.conjuncts]
        names = [c.name for c in self.conjuncts] + [a.name for a in self.actions]
        doubled = {name for name in names if names.count(name) > 1}
        if doubled:
            raise ValueError(f"{self.name}: declared twice: {', '.join(sorted(doubled))}")

    def present(self, name, columns):
        """A relation, of those that change or of those that do not, in the present state."""
        if name in self.relations:
            return self.relations[name][0](*columns)
        return self.fixed[name](*columns)

    def _action(self, rule):
        parameters = parameters_of(rule.build, 1)
        step = Step(self, self.mutant, parameters)
        rule.build(step, *parameters)
        for name, effect in step.effects.items():
            effect(*[FreshConst(sort) for sort in self.relations[name][1]])  # asks for its mutants
        return Action(
            rule.name, rule.handler, rule.says, parameters, step.guards, step.effects, step.mutants,
        )

    def state(self, conjunct, state):
        """A conjunct of a state."""
        bound = variables(conjunct.build, 1)
        body = conjunct.build(state, *bound)
        return ForAll(bound, body) if bound else body

    def step(self, conjunct, before, after):
        """A property of a step."""
        bound = variables(conjunct.build, 2)
        body = conjunct.build(before, after, *bound)
        return ForAll(bound, body) if bound else body

    @property
    def here(self):
        return State(self.present)

    def initial(self):
        """The formula of the first state."""
        given = {name: f for part in self.parts for name, f in part.initially}
        formulas = []
        for name, (symbol, sorts) in self.relations.items():
            columns = [Const(f"c{i}", sort) for i, sort in enumerate(sorts)]
            truth = given[name](*columns) if name in given else BoolVal(False)
            formulas.append(ForAll(columns, symbol(*columns) == truth))
        return formulas

    def is_kept(self, conjunct):
        """Whether a conjunct may be used in proofs of others."""
        return conjunct.kind == "conjunct"


def symbols(formula, seen=None, into=None):
    """The names of all relations and constants in a formula."""
    into = set() if into is None else into
    seen = set() if seen is None else seen
    stack = [formula]
    while stack:
        term = stack.pop()
        if term.get_id() in seen:
            continue
        seen.add(term.get_id())
        if is_quantifier(term):
            stack.append(term.body())
        elif is_app(term):
            if term.decl().kind() == Z3_OP_UNINTERPRETED:
                into.add(term.decl().name())
            stack.extend(term.children())
    return into


__all__ = [
    "And", "BoolRef", "Exists", "ForAll", "Implies", "Model", "Mutant", "Not", "Or", "Part", "SetOf",
    "State", "Step", "exists", "forall", "implies", "symbols",
]
