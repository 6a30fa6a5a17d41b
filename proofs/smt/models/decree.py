"""Leaders of one decree (`matchmaker/src/single.rs`): Phase 1 over the history of the round, and adoption.

`counted` foretells which promises the leader of a round will have counted when its Phase 1 ends: it is
fixed and arbitrary, so this is no restriction.
"""
from z3 import And, Not, Or

from checker.logic import Part, exists, forall, implies

from .acceptors import is_highest, is_shown, none_is_shown, nothing_proposed
from .rounds import ZERO, Acceptor, Quorum, Round, Value, all_of, below, is_phase1, is_phase2, some_of

part = Part("decree")
counted = part.fixed_relation("counted", Round, Acceptor)
part.relation("unvoted", Round)


def covers(r, x):
    """The promises that count in round r include a Phase 1 quorum of the configuration of x."""
    def quorum(q: Quorum):
        return And(is_phase1(x, q), all_of(q, lambda n: counted(r, n)))
    return exists(quorum)


def is_covered(s, i):
    """The promises that count in round i include a Phase 1 quorum of each configuration of its history."""
    def each(x: Round):
        return implies(s.history(i, x), covers(i, x))
    return forall(each)


def newest_is_covered(s, i):
    """As `is_covered`, but of the newest configuration only: a bug."""
    def each(x: Round):
        def newer(y: Round):
            return And(s.history(i, y), below(x, y))
        return implies(And(s.history(i, x), Not(exists(newer))), covers(i, x))
    return forall(each)


def counted_have_promised(s, i):
    """Whoever counts in round i has promised it."""
    def each(n: Acceptor):
        return implies(counted(i, n), s.promised(n, i))
    return forall(each)


part.mutant("R06", "a leader adopts some vote, not that of the highest round",
            "lower_rounds_choose_nothing_else")
part.mutant("R09", "Phase 1 waits for the newest earlier configuration only",
            "lower_rounds_choose_nothing_else")
part.mutant("R20", "a leader that has met votes collects as if it had met none",
            "unvoted_rounds_have_nothing_below")
part.mutant("R31", "a proposer forgets in a crash which rounds it has used", "one_value_per_round")


@part.action("matchmaker::single::SingleProposer::on_phase1b, finish_phase1")
def finish_phase1(step, i: Round, w: Round, k: Round, v: Value):
    """With promises of a Phase 1 quorum of each configuration in the history a leader proposes: the value of
    the highest vote that they show, in round k, or its own value if they show none. (w is its floor.)"""
    s = step.before

    def counts(n):
        return counted(i, n)
    step.require("matchmaking of the round is complete", And(s.matched(i), s.floor(i, w)))
    step.require("nothing was proposed in the round", nothing_proposed(s, i), unless="R31")
    step.require("each earlier configuration is covered",
                 newest_is_covered(s, i) if step.has_bug("R09") else is_covered(s, i))
    step.require("what counts was promised", counted_have_promised(s, i))
    none = none_is_shown(s, i, counts)
    highest = And(k != ZERO, is_shown(s, i, counts, k, v))
    if not step.has_bug("R06"):
        highest = And(highest, is_highest(s, i, counts, k))
    step.require("the highest vote is adopted", Or(none, highest))
    step.add("proposed", i, v)
    step.add_where("unvoted", lambda r: And(r == i, Or(none, step.has_bug("R20"))))


def cannot_choose(s, r, v, q):
    """The quorum q will never choose v in round r: some member has left r without a vote for v; or r is
    barred, so that nothing is ever proposed there."""
    return Or(some_of(q, lambda n: And(s.left(n, r), Not(s.voted(n, r, v)))), s.barred(r))


@part.conjunct("A7")
def proposing_rounds_are_matched(s, r: Round, v: Value):
    """A leader proposes only after matchmaking of its round."""
    return implies(s.proposed(r, v), s.matched(r))


PHASE1 = [
    "one_value_per_round", "votes_are_for_proposals", "promises_show_votes", "shown_votes_were_cast",
    "a_promise_leaves_lower_rounds", "history_is_complete", "floors_were_collected",
    "unvoted_rounds_have_nothing_below", "collections_are_licensed", "collecting_rounds_are_matched",
    "nothing_is_proposed_in_zero", "barred_rounds_are_never_matched", "proposing_rounds_are_matched",
    "lower_rounds_choose_nothing_else",
]


@part.conjunct("A10", using=PHASE1)
def unvoted_rounds_have_nothing_below(s, r: Round, x: Round, v: Value, q: Quorum):
    """If Phase 1 of a round met no vote, no lower round will ever choose anything."""
    lower = And(s.unvoted(r), below(x, r), x != ZERO, is_phase2(x, q))
    return implies(lower, cannot_choose(s, x, v, q))


@part.conjunct("A2", using=PHASE1)
def lower_rounds_choose_nothing_else(s, r: Round, v: Value, x: Round, w: Value, q: Quorum):
    """Once v is proposed in a round, no lower round can choose another value: P(i) of the paper."""
    lower = And(s.proposed(r, v), below(x, r), x != ZERO, v != w, is_phase2(x, q))
    return implies(lower, cannot_choose(s, x, w, q))


@part.conjunct("A10")
def collections_are_licensed(s, r: Round):
    """A collecting round has met no vote in Phase 1 (scenario 2), or a Phase 2 quorum has voted in it
    (scenario 1)."""
    def has_votes(q: Quorum, v: Value):
        return And(is_phase2(r, q), all_of(q, lambda n: s.voted(n, r, v)))
    return implies(s.garbage(r), Or(s.unvoted(r), exists(has_votes)))


@part.conclusion("A7")
def proposals_are_licensed(s, r: Round, v: Value, x: Round):
    """Before a proposal a Phase 1 quorum of each configuration in the history has promised the round."""
    def quorum(q: Quorum):
        return And(is_phase1(x, q), all_of(q, lambda n: s.promised(n, r)))
    return implies(And(s.proposed(r, v), s.history(r, x)), exists(quorum))
