"""Models on small universes: two rounds, three nodes.

On a finite universe every quantifier is a finite conjunction, so a formula becomes a propositional one and
a solver always answers. That is no proof for any number of nodes; it is how *examples* are found: states
in which an action is possible, steps that break a conjunct, runs from the first state.
"""
import itertools

import z3
from z3 import is_and, is_app, is_eq, is_false, is_implies, is_not, is_or, is_quantifier, is_true, is_var

ORDERS = {"at_most", "not_after"}
"""Fixed relations that are the order of numbers on every universe."""
CONSTANTS = {"zero": 0, "founding": 0}


def conjoin(values):
    """The conjunction of truth values and formulas, evaluated as far as possible."""
    kept = []
    for value in values:
        if value is False:
            return False
        if value is not True:
            kept.append(value)
    return True if not kept else kept[0] if len(kept) == 1 else z3.And(kept)


def disjoin(values):
    """The disjunction of truth values and formulas, evaluated as far as possible."""
    kept = []
    for value in values:
        if value is True:
            return True
        if value is not False:
            kept.append(value)
    return False if not kept else kept[0] if len(kept) == 1 else z3.Or(kept)


def negate(value):
    return (not value) if isinstance(value, bool) else z3.Not(value)


def iff(left, right):
    if isinstance(left, bool):
        return right if left else negate(right)
    if isinstance(right, bool):
        return left if right else negate(left)
    return left == right


class Ground:
    """One model on one universe."""

    def __init__(self, model, sizes):
        self.model, self.sizes = model, sizes
        self.compiled, self.keep_alive = {}, []
        self.state, self.parameters = {}, {}
        self.fixed = {name: self._interpretation(name, f) for name, f in model.fixed.items()}

    def size(self, sort):
        return self.sizes.get(sort.name(), 2)

    def tuples(self, sorts):
        """All tuples of elements of these sorts."""
        return itertools.product(*[range(self.size(sort)) for sort in sorts])

    def _interpretation(self, name, function):
        sorts = [function.domain(i) for i in range(function.arity())]
        if name in ORDERS:
            return {xs: xs[0] <= xs[1] for xs in self.tuples(sorts)}
        return self.unknown(name, sorts)

    def unknown(self, name, sorts, mark=""):
        """A relation of which nothing is known."""
        return {xs: z3.Bool(f"{name}{mark}({','.join(map(str, xs))})") for xs in self.tuples(sorts)}

    def unknown_state(self):
        """A state of which nothing is known."""
        return {name: self.unknown(name, sorts) for name, (_, sorts) in self.model.relations.items()}

    def first_state(self):
        """The state that a model begins in."""
        given = {name: f for part in self.model.parts for name, f in part.initially}
        state = {}
        for name, (_, sorts) in self.model.relations.items():
            columns = [z3.Const(f"c{i}", sort) for i, sort in enumerate(sorts)]
            body = given[name](*columns) if name in given else z3.BoolVal(False)
            state[name] = {
                xs: self.value(body, dict(zip([c.decl().name() for c in columns], xs)))
                for xs in self.tuples(sorts)
            }
        return state

    def value(self, formula, parameters=None):
        """What a formula says in the present state."""
        self.parameters = parameters or {}
        return self._compile(formula)(())

    def _compile(self, term):
        key = term.get_id()
        if key not in self.compiled:
            self.keep_alive.append(term)
            self.compiled[key] = self._closure(term)
        return self.compiled[key]

    def _closure(self, term):
        if is_var(term):
            back = -1 - z3.get_var_index(term)
            return lambda bound: bound[back]
        if is_quantifier(term):
            return self._quantifier(term)
        if is_true(term) or is_false(term):
            truth = is_true(term)
            return lambda bound: truth
        parts = [self._compile(child) for child in term.children()]
        if is_and(term):
            return lambda bound: conjoin(part(bound) for part in parts)
        if is_or(term):
            return lambda bound: disjoin(part(bound) for part in parts)
        if is_not(term):
            return lambda bound: negate(parts[0](bound))
        if is_implies(term):
            return lambda bound: disjoin(
                negate(part(bound)) if k == 0 else part(bound) for k, part in enumerate(parts))
        if is_eq(term) and not z3.is_bool(term.arg(0)):
            return lambda bound: parts[0](bound) == parts[1](bound)
        if is_eq(term):
            return lambda bound: iff(parts[0](bound), parts[1](bound))
        if is_app(term) and term.decl().kind() == z3.Z3_OP_DISTINCT:
            return lambda bound: negate(conjoin([parts[0](bound) == parts[1](bound)]))
        return self._symbol(term.decl().name(), parts)

    def _quantifier(self, term):
        body = self._compile(term.body())
        domains = [range(self.size(term.var_sort(i))) for i in range(term.num_vars())]
        join = conjoin if term.is_forall() else disjoin
        return lambda bound: join(body(bound + xs) for xs in itertools.product(*domains))

    def _symbol(self, name, parts):
        if name in self.model.relations:
            return lambda bound: self.state[name][tuple(part(bound) for part in parts)]
        if name in self.fixed:
            table = self.fixed[name]
            return lambda bound: table[tuple(part(bound) for part in parts)]
        if parts:
            return lambda bound: parts[0](bound) in self.parameters[name]
        return lambda bound: self.parameters[name] if name in self.parameters else CONSTANTS[name]

    def axioms(self):
        """The axioms on this universe."""
        return [self.value(formula) for _, _, formula in self.model.axioms]

    def choices(self, action, given):
        """All values of the parameters of an action that agree with what is given."""
        names, domains = [], []
        for parameter in action.parameters:
            is_set = isinstance(parameter, z3.FuncDeclRef)
            name = parameter.name() if is_set else parameter.decl().name()
            sort = parameter.domain(0) if is_set else parameter.sort()
            elements = range(self.size(sort))
            if is_set:
                domain = [frozenset(c) for k in range(len(elements), -1, -1)
                          for c in itertools.combinations(elements, k)]
            else:
                domain = list(elements)
            names.append(name)
            domains.append([given[name]] if name in given else domain)
        return [dict(zip(names, values)) for values in itertools.product(*domains)]

    def effects(self, action):
        """For each relation that an action changes: its columns, and what is true of them afterwards."""
        found = {}
        for name, effect in action.effects.items():
            _, sorts = self.model.relations[name]
            columns = [z3.Const(f"column{i}", sort) for i, sort in enumerate(sorts)]
            found[name] = effect(*columns)
        return found
