"""Rounds, acceptors, quorums: what every model speaks of, and what is assumed of it."""
from z3 import And, DeclareSort, Or

from checker.logic import Part, exists, forall, implies

Round = DeclareSort("Round")
Value = DeclareSort("Value")
Acceptor = DeclareSort("Acceptor")
Quorum = DeclareSort("Quorum")

part = Part("rounds")

at_most = part.fixed_relation("at_most", Round, Round)
"""The total order of rounds."""
ZERO = part.constant("zero", Round)
"""`Round::ZERO`, below all rounds that are used."""
among = part.fixed_relation("among", Acceptor, Quorum)
"""The acceptor is in the quorum."""
is_phase1 = part.fixed_relation("is_phase1", Round, Quorum)
"""`Configuration::is_phase1`, of the configuration of the round (A4: it has one)."""
is_phase2 = part.fixed_relation("is_phase2", Round, Quorum)
"""`Configuration::is_phase2`, of the configuration of the round."""


def below(r, x):
    """The round r is lower than x."""
    return And(at_most(r, x), r != x)


@part.axiom
def a_round_is_at_most_itself(r: Round):
    """The order of rounds is reflexive."""
    return at_most(r, r)


@part.axiom
def the_order_of_rounds_is_transitive(r: Round, x: Round, y: Round):
    """The order of rounds is transitive."""
    return implies(And(at_most(r, x), at_most(x, y)), at_most(r, y))


@part.axiom
def the_order_of_rounds_is_antisymmetric(r: Round, x: Round):
    """Rounds that are at most each other are one."""
    return implies(And(at_most(r, x), at_most(x, r)), r == x)


@part.axiom
def the_order_of_rounds_is_total(r: Round, x: Round):
    """Any two rounds can be compared: (number, owner, step) in this order."""
    return Or(at_most(r, x), at_most(x, r))


@part.axiom
def zero_is_the_lowest_round(r: Round):
    """No round is below zero."""
    return at_most(ZERO, r)


@part.axiom
def phase1_and_phase2_quorums_meet(r: Round, p: Quorum, q: Quorum):
    """In each configuration every Phase 1 quorum has a member in common with every Phase 2 quorum."""
    return implies(
        And(is_phase1(r, p), is_phase2(r, q)),
        some_of(q, lambda n: among(n, p)),
    )




@part.axiom
def phase2_quorums_have_members(r: Round, q: Quorum):
    """A Phase 2 quorum is not empty."""
    def has(n: Acceptor):
        return among(n, q)
    return implies(is_phase2(r, q), exists(has))


def all_of(q, holds):
    """`holds` of every acceptor in the quorum q."""
    def each(n: Acceptor):
        return implies(among(n, q), holds(n))
    return forall(each)


def some_of(q, holds):
    """`holds` of some acceptor in the quorum q."""
    def one(n: Acceptor):
        return And(among(n, q), holds(n))
    return exists(one)
