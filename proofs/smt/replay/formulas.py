"""Formulas of the models as plain tuples, with negations at the atoms and a name for each variable.

    ("compare", operator, term, term)      ("holds", is_positive, relation, terms)
    ("among", is_positive, set, term)      ("truth", value)
    ("and", parts)  ("or", parts)          ("some", variables, body)  ("none", variables, body)

A term is the text of a Python expression: a variable, or the number of a constant. Rounds and epochs are
numbers in their order, so the order of the models is that of numbers.
"""
import itertools

import z3

from checker.ground import CONSTANTS, ORDERS

numbers = itertools.count()


def parameter(name):
    """What a parameter of an action is called."""
    return f"p_{name}"


def column(number):
    """What a column of a relation is called in an effect."""
    return f"column{number}"


def plain(term, positive=True, bound=()):
    """A formula of z3, or its negation, as plain tuples."""
    if z3.is_quantifier(term):
        return quantified(term, positive, bound)
    if z3.is_true(term) or z3.is_false(term):
        return ("truth", z3.is_true(term) == positive)
    if z3.is_not(term):
        return plain(term.arg(0), not positive, bound)
    if z3.is_and(term) or z3.is_or(term):
        parts = [plain(child, positive, bound) for child in term.children()]
        return joined("and" if z3.is_and(term) == positive else "or", parts)
    if z3.is_implies(term):
        parts = [plain(term.arg(0), not positive, bound), plain(term.arg(1), positive, bound)]
        return joined("or" if positive else "and", parts)
    if z3.is_eq(term):
        return equality(term, positive, bound)
    if z3.is_distinct(term):
        return ("compare", "!=" if positive else "==", *[named(child, bound) for child in term.children()])
    return atom(term, positive, bound)


def quantified(term, positive, bound):
    """A quantifier: *for all* is *for none not*."""
    names = [f"{term.var_name(k).split('!')[0]}_{next(numbers)}" for k in range(term.num_vars())]
    variables = [(name, term.var_sort(k).name()) for k, name in enumerate(names)]
    is_none = term.is_forall() == positive
    body = plain(term.body(), not term.is_forall(), (*bound, *names))
    return ("none" if is_none else "some", variables, body)


def equality(term, positive, bound):
    left, right = term.children()
    if not z3.is_bool(left):
        return ("compare", "==" if positive else "!=", named(left, bound), named(right, bound))
    same = [plain(left, True, bound), plain(right, positive, bound)]
    other = [plain(left, False, bound), plain(right, not positive, bound)]
    return joined("or", [joined("and", same), joined("and", other)])


def atom(term, positive, bound):
    name, terms = term.decl().name(), [named(child, bound) for child in term.children()]
    if name in ORDERS:
        return ("compare", "<=" if positive else ">", *terms)
    if is_set(term):
        return ("among", positive, parameter(name), terms[0])
    return ("holds", positive, name, terms)


SETS = set()
"""Names of the parameters that are sets; `declare` adds to it."""


def declare(action):
    """The names of the parameters of an action, as Python calls them."""
    found = []
    for each in action.parameters:
        is_function = isinstance(each, z3.FuncDeclRef)
        found.append(each.name() if is_function else each.decl().name())
        if is_function:
            SETS.add(found[-1])
    return found


def is_set(term):
    return term.decl().name() in SETS


def named(term, bound):
    """A term as Python writes it."""
    if z3.is_var(term):
        return bound[-1 - z3.get_var_index(term)]
    name = term.decl().name()
    if name in CONSTANTS:
        return str(CONSTANTS[name])
    return name if name.startswith("column") else parameter(name)


def joined(kind, parts):
    """A conjunction or disjunction, without what is trivial in it."""
    decides, flat = kind == "or", []
    for part in parts:
        if part[0] == "truth":
            if part[1] == decides:
                return ("truth", decides)
        elif part[0] == kind:
            flat.extend(part[1])
        else:
            flat.append(part)
    if not flat:
        return ("truth", not decides)
    return flat[0] if len(flat) == 1 else (kind, flat)


def free(formula):
    """The terms in a formula that it does not bind itself."""
    kind = formula[0]
    if kind == "compare":
        return set(formula[2:])
    if kind == "holds":
        return set(formula[3])
    if kind == "among":
        return {formula[2], formula[3]}
    if kind == "truth":
        return set()
    if kind in ("and", "or"):
        return set().union(*[free(part) for part in formula[1]])
    return free(formula[2]) - {name for name, _ in formula[1]}
