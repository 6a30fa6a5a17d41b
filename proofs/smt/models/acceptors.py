"""Acceptors of one decree (`paxos/src/acceptor.rs`).

A promise shows *all* votes of lower rounds here; an acceptor shows its last one. The step property
`the_last_vote_is_the_highest` says why that is the same to a leader, which looks for the highest.
"""
from z3 import And, Not

from checker.logic import Part, exists, forall, implies

from .rounds import ZERO, Acceptor, Quorum, Round, Value, all_of, at_most, below, is_phase2

part = Part("acceptors")
part.relation("promised", Acceptor, Round)
part.relation("showed", Acceptor, Round, Round, Value)
part.relation("left", Acceptor, Round)
part.relation("proposed", Round, Value)
part.relation("voted", Acceptor, Round, Value)
part.relation("chosen", Round, Value)



def nothing_proposed(s, i):
    """Nothing is proposed in round i yet."""
    def no(v: Value):
        return Not(s.proposed(i, v))
    return forall(no)


def none_is_shown(s, i, counts):
    """The promises of round i that count show no vote."""
    def no(n: Acceptor, x: Round, v: Value):
        return Not(And(counts(n), s.showed(n, i, x, v)))
    return forall(no)


def is_shown(s, i, counts, k, v):
    """A promise of round i that counts shows a vote for v in round k."""
    def one(n: Acceptor):
        return And(counts(n), s.showed(n, i, k, v))
    return exists(one)


def is_highest(s, i, counts, k):
    """The promises of round i that count show no vote in a round above k."""
    def each(n: Acceptor, x: Round, v: Value):
        return implies(And(counts(n), s.showed(n, i, x, v)), at_most(x, k))
    return forall(each)


part.mutant("R02", "an acceptor forgets its promises in a crash", "a_promise_leaves_lower_rounds")
part.mutant("R03", "an acceptor forgets its votes in a crash", "promises_show_votes")


@part.action("paxos::acceptor::Acceptor::on_phase1a")
def on_phase1a(step, n: Acceptor, i: Round):
    """An acceptor promises a round, leaves all lower ones, and shows its votes in them."""
    s = step.before
    step.require("a round that is used", i != ZERO)
    step.require("not below the promise", Not(s.left(n, i)))
    step.require("a repeat shows nothing new", Not(s.promised(n, i)))
    step.add("promised", n, i)
    if not step.has_bug("R03"):
        step.add_where("showed", lambda m, r, x, v: And(m == n, r == i, below(x, i), s.voted(n, x, v)))
    if not step.has_bug("R02"):
        step.add_where("left", lambda m, r: And(m == n, below(r, i)))


part.mutant("R05", "a vote does not raise the promise", "a_vote_leaves_lower_rounds")


@part.action("paxos::acceptor::Acceptor::on_phase2a")
def on_phase2a(step, n: Acceptor, i: Round, v: Value):
    """An acceptor votes for what is proposed, unless it has left the round; it leaves all lower ones."""
    s = step.before
    step.require("it is proposed", s.proposed(i, v))
    step.require("not below the promise", Not(s.left(n, i)))
    step.add("voted", n, i, v)
    if not step.has_bug("R05"):
        step.add_where("left", lambda m, r: And(m == n, below(r, i)))


part.mutant("R73", "some votes make a value chosen, though no Phase 2 quorum has voted",
            "what_is_chosen_has_a_quorum")


@part.action("on_phase2b of a proposer")
def on_phase2b(step, i: Round, v: Value, q: Quorum):
    """A proposer learns that a Phase 2 quorum of the round has voted for a value: it is chosen."""
    s = step.before
    step.require("a round that is used", i != ZERO)
    step.require("a Phase 2 quorum", is_phase2(i, q), unless="R73")
    step.require("all of it have voted", all_of(q, lambda n: s.voted(n, i, v)))
    step.add("chosen", i, v)


@part.conjunct("A3")
def one_value_per_round(s, r: Round, v: Value, x: Value):
    """In each round at most one value is proposed."""
    return implies(And(s.proposed(r, v), s.proposed(r, x)), v == x)


@part.conjunct("A5")
def votes_are_for_proposals(s, n: Acceptor, r: Round, v: Value):
    """An acceptor votes only for what was proposed in that round."""
    return implies(s.voted(n, r, v), s.proposed(r, v))


@part.conjunct("A13")
def what_is_chosen_has_a_quorum(s, r: Round, v: Value):
    """What is taken for chosen has the votes of a Phase 2 quorum of its round."""
    def has_votes(q: Quorum):
        return And(is_phase2(r, q), all_of(q, lambda n: s.voted(n, r, v)))
    return implies(s.chosen(r, v), And(r != ZERO, exists(has_votes)))


@part.conjunct("A23")
def promises_show_votes(s, n: Acceptor, r: Round, x: Round, v: Value):
    """With a promise an acceptor has shown every vote that it has, and will ever have, in lower rounds."""
    return implies(And(s.promised(n, r), below(x, r), s.voted(n, x, v)), s.showed(n, r, x, v))


@part.conjunct("A23")
def shown_votes_were_cast(s, n: Acceptor, r: Round, x: Round, v: Value):
    """An acceptor shows only votes that it has cast, in rounds below its promise."""
    return implies(s.showed(n, r, x, v), And(below(x, r), s.voted(n, x, v)))


@part.conjunct("A6")
def a_promise_leaves_lower_rounds(s, n: Acceptor, r: Round, x: Round):
    """Who has promised a round has left all lower ones."""
    return implies(And(s.promised(n, r), below(x, r)), s.left(n, x))


@part.conjunct("A6")
def a_vote_leaves_lower_rounds(s, n: Acceptor, r: Round, v: Value, x: Round):
    """Who has voted in a round has left all lower ones."""
    return implies(And(s.voted(n, r, v), below(x, r)), s.left(n, x))


@part.conjunct()
def nothing_is_proposed_in_zero(s, v: Value):
    """Round zero is used by nobody."""
    return Not(s.proposed(ZERO, v))


@part.step("A6")
def no_vote_below_the_promise(s, t, n: Acceptor, r: Round, v: Value):
    """Who has left a round never votes in it afterwards."""
    return implies(And(s.left(n, r), Not(s.voted(n, r, v))), Not(t.voted(n, r, v)))


@part.step("A6", using=["a_vote_leaves_lower_rounds"])
def the_last_vote_is_the_highest(s, t, n: Acceptor, r: Round, v: Value, x: Round, y: Value):
    """A new vote is in no lower round than the earlier ones, so an acceptor need show its last only."""
    new = And(t.voted(n, r, v), Not(s.voted(n, r, v)))
    return implies(And(new, s.voted(n, x, y)), at_most(x, r))


@part.safety("A1", using=["one_value_per_round", "votes_are_for_proposals", "what_is_chosen_has_a_quorum"])
def agreement(s, r: Round, x: Round, v: Value, y: Value):
    """At most one value is chosen."""
    return implies(And(s.chosen(r, v), s.chosen(x, y)), v == y)
