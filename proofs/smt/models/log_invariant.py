"""Why leaders of a log are safe, with switches and collection: the conjuncts of `log.py`.

*Excluded* is the word for what makes a lower round harmless (`cannot_choose`): of each Phase 2 quorum some
member has left it without a vote for the value; or it is barred; or the slot was closed there without a
proposal of the value.
"""
from z3 import And, Not, Or

from checker.logic import exists, forall, implies

from .log import Archive, ArchiveMajority, Slot, counted, covers, holds_in, is_ready, part
from .log_collection import has_votes, is_unused, quorum_knows
from .rounds import (
    ZERO, Acceptor, Quorum, Round, Value, all_of, at_most, below, is_phase1, is_phase2, some_of,
)


def cannot_choose(s, r, t, v, q):
    """The quorum q will never choose v in the slot in round r."""
    return Or(some_of(q, lambda n: And(s.left(n, r), Not(s.voted(n, r, t, v)))), s.barred(r),
              And(s.closed(r, t), Not(s.proposed(r, t, v))))


@part.conjunct("A3")
def one_value_per_round(s, r: Round, t: Slot, v: Value, x: Value):
    """In each slot and round at most one value is proposed."""
    return implies(And(s.proposed(r, t, v), s.proposed(r, t, x)), v == x)


@part.conjunct("A5")
def votes_are_for_proposals(s, n: Acceptor, r: Round, t: Slot, v: Value):
    """An acceptor votes only for what was proposed in that slot and round."""
    return implies(s.voted(n, r, t, v), And(r != ZERO, s.proposed(r, t, v)))


@part.conjunct("A13")
def what_is_chosen_has_a_quorum(s, r: Round, t: Slot, v: Value):
    """What is taken for chosen has the votes of a Phase 2 quorum of its round."""
    def votes(q: Quorum):
        return And(is_phase2(r, q), all_of(q, lambda n: s.voted(n, r, t, v)))
    return implies(s.chosen(r, t, v), And(r != ZERO, exists(votes)))


@part.conjunct("A23")
def promises_show_votes(s, n: Acceptor, r: Round, x: Round, t: Slot, v: Value):
    """With a promise an acceptor has shown every vote that it will ever have in lower rounds, but in slots that
    it has shown to be persisted."""
    return implies(And(s.promised(n, r), below(x, r), s.voted(n, x, t, v)),
                   Or(s.showed(n, r, t, x, v), s.showed_persisted(n, r, t)))


@part.conjunct("A23")
def shown_votes_were_cast(s, n: Acceptor, r: Round, t: Slot, x: Round, v: Value):
    """An acceptor shows only votes that it has cast, in rounds below its promise."""
    return implies(s.showed(n, r, t, x, v), And(below(x, r), s.voted(n, x, t, v), s.promised(n, r)))


@part.conjunct("A23")
def shown_persistence_was_promised(s, n: Acceptor, r: Round, t: Slot):
    """An acceptor shows what is persisted with its promise, once."""
    return implies(s.showed_persisted(n, r, t), s.promised(n, r))


@part.conjunct("A6")
def a_promise_leaves_lower_rounds(s, n: Acceptor, r: Round, x: Round):
    """Who has promised a round has left all lower ones."""
    return implies(And(s.promised(n, r), below(x, r)), s.left(n, x))


@part.conjunct("A6")
def a_vote_leaves_lower_rounds(s, n: Acceptor, r: Round, t: Slot, v: Value, x: Round):
    """Who has voted in a round has left all lower ones."""
    return implies(And(s.voted(n, r, t, v), below(x, r)), s.left(n, x))


@part.conjunct("A7")
def promises_follow_matchmaking(s, n: Acceptor, r: Round):
    """An acceptor promises a round only after its matchmaking."""
    return implies(s.promised(n, r), s.matched(r))


@part.conjunct("A7")
def what_counts_was_promised(s, n: Acceptor, r: Round):
    """What counted in Phase 1 was promised."""
    return implies(And(s.settled(r), counted(r, n)), s.promised(n, r))


@part.conjunct("A7")
def phase1_covers_the_history(s, r: Round, x: Round):
    """Phase 1 that is over has a Phase 1 quorum of each configuration of the history."""
    return implies(And(s.settled(r), s.history(r, x)), covers(r, x))


@part.conjunct("A7")
def settled_rounds_are_matched(s, r: Round, x: Round):
    """Phase 1 is over only after matchmaking, and so histories are those of matched rounds."""
    return And(implies(s.settled(r), And(r != ZERO, s.matched(r))), implies(s.history(r, x), s.matched(r)))


@part.conjunct("A7")
def proposing_rounds_are_settled(s, r: Round, t: Slot, v: Value):
    """A leader proposes only in slots that are settled, and after matchmaking of its round."""
    return implies(s.proposed(r, t, v), And(r != ZERO, is_ready(s, r, t), s.matched(r)))


@part.conjunct()
def only_settled_slots_are_classified(s, r: Round, t: Slot, v: Value):
    """A slot is free, known or fixed in a round only if it is settled there."""
    return implies(Or(s.free(r, t), s.known(r, t), s.fixed(r, t, v)), is_ready(s, r, t))


@part.conjunct("A21")
def settled_free_slots_have_no_votes(s, r: Round, t: Slot, n: Acceptor, x: Round, v: Value):
    """A slot that Phase 1 found free has no vote among the promises that count."""
    return Not(And(s.free(r, t), Not(s.entered(r, t)), counted(r, n), s.showed(n, r, t, x, v)))


@part.conjunct("A21")
def settled_known_slots_were_shown(s, r: Round, t: Slot, n: Acceptor):
    """A slot that a promise that counts calls persisted is known."""
    return implies(And(s.settled(r), Not(s.entered(r, t)), counted(r, n), s.showed_persisted(n, r, t)),
                   s.known(r, t))


PHASE1 = [
    "one_value_per_round", "votes_are_for_proposals", "promises_show_votes", "shown_votes_were_cast",
    "a_promise_leaves_lower_rounds", "what_counts_was_promised", "phase1_covers_the_history",
    "only_settled_slots_are_classified", "settled_free_slots_have_no_votes",
    "settled_known_slots_were_shown", "history_is_complete", "floors_were_collected",
    "collections_are_licensed", "collecting_rounds_are_matched", "collections_are_met",
    "settled_rounds_are_matched", "proposing_rounds_are_settled", "barred_rounds_are_never_matched",
    "free_slots_have_nothing_below", "fixed_slots_exclude_other_values", "lower_rounds_choose_nothing_else",
]


@part.conjunct("A10", using=PHASE1)
def free_slots_have_nothing_below(s, r: Round, t: Slot, x: Round, v: Value, q: Quorum):
    """In a slot that is free in a round, and not known, no lower round will ever choose anything."""
    free = And(is_unused(s, r, t), below(x, r), x != ZERO, is_phase2(x, q))
    return implies(free, cannot_choose(s, x, t, v, q))


@part.conjunct("A2", using=PHASE1)
def fixed_slots_exclude_other_values(s, r: Round, t: Slot, v: Value, x: Round, w: Value, q: Quorum):
    """In a slot that is fixed to v in a round, and not known, no lower round will ever choose another value."""
    fixed = And(s.fixed(r, t, v), Not(s.known(r, t)), below(x, r), x != ZERO, v != w, is_phase2(x, q))
    return implies(fixed, cannot_choose(s, x, t, w, q))


@part.conjunct("A2", using=PHASE1)
def lower_rounds_choose_nothing_else(s, r: Round, t: Slot, v: Value, x: Round, w: Value, q: Quorum):
    """Once v is proposed in a round, no lower round will ever choose another value: P(i) of the paper."""
    lower = And(s.proposed(r, t, v), below(x, r), x != ZERO, v != w, is_phase2(x, q))
    return implies(lower, cannot_choose(s, x, t, w, q))


@part.conjunct("A10")
def collections_are_licensed(s, r: Round, t: Slot):
    """Of a collecting round each slot was chosen in it, is unused below it, or is persisted, and a Phase 2
    quorum had been told so when the collection began."""
    told = quorum_knows(r, lambda n: s.told_at_collection(r, n, t))
    return implies(s.garbage(r), Or(is_unused(s, r, t), told, has_votes(s, r, t)))


@part.conjunct("A10")
def told_before_collection(s, r: Round, n: Acceptor, t: Slot):
    """Who had been told when a collection began has been told, and nothing is noted before."""
    return implies(s.told_at_collection(r, n, t), And(s.told(n, t), s.garbage(r)))


@part.conjunct("A10")
def collections_are_met(s, n: Acceptor, r: Round, w: Round, t: Slot):
    """Who was told before the collection of the floor of a round shows it with a promise of that round."""
    return implies(And(s.promised(n, r), s.floor(r, w), s.told_at_collection(w, n, t)),
                   s.showed_persisted(n, r, t))


@part.conclusion("A12")
def what_is_told_is_persisted(s, n: Acceptor, t: Slot):
    """Of a slot that an acceptor was told is persisted, a majority of the archives holds one value."""
    def one(a: ArchiveMajority, v: Value):
        def each(x: Archive):
            return implies(holds_in(x, a), s.archived(x, t, v))
        return forall(each)
    return implies(s.told(n, t), exists(one))


@part.conclusion("A13")
def what_is_archived_was_chosen(s, x: Archive, t: Slot, v: Value):
    """Archives hold only what was chosen."""
    def one(r: Round):
        return s.chosen(r, t, v)
    return implies(s.archived(x, t, v), exists(one))


@part.conclusion("A7")
def settled_rounds_are_promised(s, r: Round, x: Round):
    """Phase 1 ends after a Phase 1 quorum of each configuration of the history has promised the round."""
    def quorum(q: Quorum):
        return And(is_phase1(x, q), all_of(q, lambda n: s.promised(n, r)))
    return implies(And(s.settled(r), s.history(r, x)), exists(quorum))


@part.step("A6")
def no_vote_below_the_promise(s, u, n: Acceptor, r: Round, t: Slot, v: Value):
    """Who has left a round never votes in it afterwards."""
    return implies(And(s.left(n, r), Not(s.voted(n, r, t, v))), Not(u.voted(n, r, t, v)))


@part.step("A6", using=["a_vote_leaves_lower_rounds"])
def the_last_vote_is_the_highest(s, u, n: Acceptor, r: Round, t: Slot, v: Value, x: Round, y: Value):
    """A new vote is in no lower round than the earlier ones, so an acceptor need keep its last only."""
    new = And(u.voted(n, r, t, v), Not(s.voted(n, r, t, v)))
    return implies(And(new, s.voted(n, x, t, y)), at_most(x, r))


@part.step("A17")
def closed_slots_stay_closed(s, u, r: Round, t: Slot, v: Value):
    """Nothing new is proposed in a slot that was closed in a round."""
    return implies(And(s.closed(r, t), Not(s.proposed(r, t, v))), Not(u.proposed(r, t, v)))


@part.safety("A1", using=["lower_rounds_choose_nothing_else", "barred_rounds_are_never_matched",
                          "proposing_rounds_are_settled", "votes_are_for_proposals",
                          "what_is_chosen_has_a_quorum", "one_value_per_round"])
def agreement(s, r: Round, x: Round, t: Slot, v: Value, y: Value):
    """In each slot at most one value is chosen."""
    return implies(And(s.chosen(r, t, v), s.chosen(x, t, y)), v == y)
