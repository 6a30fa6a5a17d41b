"""Why the handover of `generations.py` is sound: its conjuncts.

The argument: whatever a majority did, someone did who stopped afterwards; so the next generation, and
each later one, knows it (*handed over*). A round that a complete matchmaking has left out is refused by
some majority of every generation, for ever.
"""
from z3 import And, Not, Or

from checker.logic import exists, forall, implies

from .generations import (
    Epoch, earlier, is_majority, not_after, part, some_majority, stopper,
)
from .registry import Majority, Matchmaker, each_of, is_older
from .rounds import ZERO, Round, at_most, below


def follows(s, d, e):
    """Generation e is active and later than d, which was active too."""
    return And(s.active(d), s.active(e), earlier(d, e))


@part.conjunct("H1")
def only_active_generations_serve(s, m: Matchmaker, e: Epoch, r: Round):
    """Nothing happens in a generation that was not chosen."""
    return implies(Or(
        s.registered(m, e, r), s.outdone(m, e, r), s.watermark(m, e, r), s.stopped(m, e), s.handed(e, r),
        s.handed_outdone(e, r), s.handed_known(e, r), s.inherited(e, r), s.collected(e, r), s.current(e),
        s.dated(m, e, r), s.handed_dated(e, r),
    ), s.active(e))


@part.conjunct("H1")
def one_generation_is_the_newest(s, d: Epoch, e: Epoch):
    """No generation is after the current one: each has at most one successor."""
    return implies(And(s.current(e), s.active(d)), not_after(d, e))


NEWEST = ["only_active_generations_serve", "one_generation_is_the_newest"]


@part.conjunct("H3", using=NEWEST)
def predecessors_have_stopped(s, d: Epoch, e: Epoch, m: Matchmaker):
    """Those whose answers made the successor have stopped."""
    return implies(And(follows(s, d, e), stopper(m, d)), s.stopped(m, d))


@part.step("H3")
def stopped_matchmakers_register_nothing(s, t, m: Matchmaker, e: Epoch, r: Round):
    """A matchmaker that has stopped registers and collects nothing more in its generation."""
    new = Or(And(t.registered(m, e, r), Not(s.registered(m, e, r))),
             And(t.watermark(m, e, r), Not(s.watermark(m, e, r))))
    return Not(And(s.stopped(m, e), new))


@part.conjunct("A9")
def lower_rounds_are_outdone(s, m: Matchmaker, e: Epoch, r: Round, x: Round):
    """A matchmaker that has registered a round, or collects below it, registers no lower one afterwards."""
    return implies(And(Or(s.registered(m, e, r), s.watermark(m, e, r)), below(x, r)), s.outdone(m, e, x))


@part.conjunct("A9")
def outdone_rounds_are_not_registered(s, m: Matchmaker, e: Epoch, r: Round):
    """A round that was handed over below a higher one, or below the watermark, is never answered."""
    return Not(And(s.handed_outdone(e, r), s.registered(m, e, r)))


@part.conjunct("H2", using=NEWEST)
def lower_handed_rounds_are_outdone(s, e: Epoch, r: Round, x: Round):
    """What is below a round that was handed over, or below the watermark that was, is outdone."""
    return implies(And(Or(s.handed(e, r), s.inherited(e, r)), below(x, r)), s.handed_outdone(e, x))


@part.conjunct("H2", using=[*NEWEST, "outdone_is_handed_on", "predecessors_have_stopped"])
def outdone_is_handed_over(s, d: Epoch, e: Epoch, m: Matchmaker, r: Round):
    """What someone who stopped refused is refused by all later generations."""
    return implies(And(follows(s, d, e), stopper(m, d), s.outdone(m, d, r)), s.handed_outdone(e, r))


@part.conjunct("H2", using=NEWEST)
def outdone_is_handed_on(s, d: Epoch, e: Epoch, r: Round):
    """What was outdone when a generation began is so in all later ones."""
    return implies(And(follows(s, d, e), s.handed_outdone(d, r)), s.handed_outdone(e, r))


@part.conjunct("H2", using=[
    *NEWEST, "handed_rounds_are_handed_on", "inherited_watermarks_rise", "predecessors_have_stopped",
])
def registries_are_handed_over(s, d: Epoch, e: Epoch, m: Matchmaker, r: Round, w: Round):
    """What someone who stopped had registered, each later generation begins with, from its watermark on."""
    known = And(stopper(m, d), s.registered(m, d, r), s.inherited(e, w), at_most(w, r))
    return implies(And(follows(s, d, e), known), s.handed(e, r))


@part.conjunct("H2", using=[*NEWEST, "inherited_watermarks_rise"])
def handed_rounds_are_handed_on(s, d: Epoch, e: Epoch, r: Round, w: Round):
    """What a generation began with, each later one begins with, from its watermark on."""
    return implies(And(follows(s, d, e), s.handed(d, r), s.inherited(e, w), at_most(w, r)), s.handed(e, r))


@part.conjunct("H2", using=[*NEWEST, "inherited_watermarks_rise", "predecessors_have_stopped"])
def watermarks_are_handed_over(s, d: Epoch, e: Epoch, m: Matchmaker, w: Round, x: Round):
    """The watermark of someone who stopped is not above that of any later generation."""
    handed = And(stopper(m, d), s.watermark(m, d, w), s.inherited(e, x))
    return implies(And(follows(s, d, e), handed), at_most(w, x))


@part.conjunct("H2", using=NEWEST)
def inherited_watermarks_rise(s, d: Epoch, e: Epoch, w: Round, x: Round):
    """A generation begins with one watermark, and no later one with a lower."""
    return implies(And(s.inherited(d, w), s.inherited(e, x), not_after(d, e)), at_most(w, x))


@part.conjunct("A8", using=["only_active_generations_serve"])
def shown_histories_are_complete(s, m: Matchmaker, e: Epoch, r: Round, x: Round):
    """A matchmaker that answers for a round shows each lower one that it has registered or that was handed
    over, unless it is below the watermark of the answer."""
    known = Or(s.registered(m, e, x), s.handed(e, x))
    return implies(And(s.registered(m, e, r), below(x, r), known),
                   Or(s.showed_round(m, e, r, x), s.cut(m, e, r, x)))


@part.conjunct("A9", using=["only_active_generations_serve"])
def answers_are_cut_at_what_was_inherited(s, m: Matchmaker, e: Epoch, r: Round, w: Round, x: Round):
    """An answer shows nothing below the watermark that the generation began with, and is for no such round."""
    return implies(And(s.registered(m, e, r), s.inherited(e, w)),
                   And(at_most(w, r), implies(below(x, w), s.cut(m, e, r, x))))


@part.conjunct("H4")
def matched_rounds_are_registered(s, r: Round):
    """A round whose matchmaking is complete is registered by a majority of one generation."""
    def one(e: Epoch):
        return And(s.active(e), some_majority(e, lambda m: s.registered(m, e, r)))
    return implies(s.matched(r), exists(one))


HANDED = [
    *NEWEST, "predecessors_have_stopped", "outdone_is_handed_over", "outdone_is_handed_on",
    "registries_are_handed_over", "handed_rounds_are_handed_on", "shown_histories_are_complete",
    "answers_are_cut_at_what_was_inherited", "lower_rounds_are_outdone",
    "outdone_rounds_are_not_registered", "lower_handed_rounds_are_outdone", "inherited_watermarks_rise",
]


@part.conjunct("H6", using=["only_active_generations_serve"])
def older_configurations_are_dated(s, m: Matchmaker, e: Epoch, r: Round, x: Round):
    """A matchmaker that has registered a configuration, or began with one, refuses all older ones from then on."""
    return And(implies(And(s.registered(m, e, r), is_older(x, r)), s.dated(m, e, x)),
               implies(And(s.handed_known(e, r), is_older(x, r)), s.handed_dated(e, x)))


@part.conjunct("H6", using=NEWEST)
def dated_configurations_are_handed_on(s, d: Epoch, e: Epoch, m: Matchmaker, r: Round):
    """What someone who stopped refused because it is older, or what a generation did, each later one does."""
    dated = Or(And(stopper(m, d), s.dated(m, d, r)), s.handed_dated(d, r))
    return implies(And(follows(s, d, e), dated), s.handed_dated(e, r))


VOID = [
    "older_configurations_are_dated", "dated_configurations_are_handed_on", "collecting_rounds_are_matched",
    "matched_rounds_are_registered", "no_older_configuration_above_at_one", "knowledge_is_handed_over",
    "shown_watermarks_were_collected", "watermarks_were_collected",
]


@part.conjunct("A8", using=[*HANDED, *VOID, "barred_rounds_are_outdone_in_the_newest"])
def barred_rounds_are_refused(s, r: Round, e: Epoch):
    """For a barred round each generation has a majority that has not registered it and never will."""
    def refuses(m):
        here = And(s.outdone(m, e, r), Not(s.handed(e, r)))
        dated = Or(s.dated(m, e, r), s.handed_dated(e, r))
        return And(Not(s.registered(m, e, r)), Or(s.stopped(m, e), s.handed_outdone(e, r), here, dated))
    return implies(And(s.barred(r), s.active(e)), some_majority(e, refuses))


@part.conjunct("A8", using=[*HANDED, *VOID, "barred_rounds_are_refused"])
def barred_rounds_are_outdone_in_the_newest(s, r: Round, e: Epoch):
    """In the newest generation a majority has outdone each barred round, or knows a newer configuration, or it was
    so from the beginning."""
    handed = Or(s.handed_outdone(e, r), s.handed_dated(e, r))
    return implies(And(s.barred(r), s.current(e)),
                   some_majority(e, lambda m: Or(s.outdone(m, e, r), s.dated(m, e, r), handed)))


@part.conjunct("A8", using=[*HANDED, "barred_rounds_are_refused", "matched_rounds_are_registered"])
def barred_rounds_are_never_matched(s, r: Round):
    """Matchmaking of a barred round is never complete."""
    return Not(And(s.barred(r), s.matched(r)))


@part.conjunct("A8")
def history_is_complete(s, r: Round, w: Round, x: Round):
    """Each round below a matched one, from its floor on, is in its history or barred."""
    return implies(And(s.floor(r, w), below(x, r), at_most(w, x), x != ZERO),
                   Or(s.history(r, x), s.barred(x)))


@part.conjunct("A9")
def shown_watermarks_were_collected(s, m: Matchmaker, e: Epoch, r: Round, w: Round):
    """A watermark in an answer is that of a collection, and not above the round of the answer."""
    return implies(s.showed_watermark(m, e, r, w), And(at_most(w, r), Or(w == ZERO, s.garbage(w))))


@part.conjunct("A9")
def watermarks_were_collected(s, m: Matchmaker, e: Epoch, w: Round):
    """A watermark is that of a collection, whether it was asked for here or handed over."""
    return And(implies(s.watermark(m, e, w), s.garbage(w)),
               implies(s.inherited(e, w), Or(w == ZERO, s.garbage(w))))


@part.conjunct("A10")
def collecting_rounds_are_matched(s, r: Round):
    """A leader sends GarbageA only after matchmaking of its round."""
    return implies(s.garbage(r), And(r != ZERO, s.matched(r)))


@part.conjunct("A9", using=[
    "shown_watermarks_were_collected", "watermarks_were_collected", "collecting_rounds_are_matched",
    "answers_are_cut_at_what_was_inherited",
])
def floors_were_collected(s, r: Round, w: Round):
    """The floor of a round is below it, and zero or the round of a collection."""
    return implies(s.floor(r, w), And(below(w, r), Or(w == ZERO, s.garbage(w))))


@part.conjunct("H6", using=NEWEST)
def handed_rounds_are_known(s, e: Epoch, r: Round):
    """A generation knows the configurations of all rounds that were handed over to it."""
    return implies(s.handed(e, r), s.handed_known(e, r))


@part.conjunct("H6", using=[*NEWEST, "predecessors_have_stopped"])
def knowledge_is_handed_over(s, d: Epoch, e: Epoch, m: Matchmaker, r: Round):
    """What configuration someone who stopped knew, each later generation knows, collected or not."""
    known = Or(And(stopper(m, d), s.registered(m, d, r)), s.handed_known(d, r))
    return implies(And(follows(s, d, e), known), s.handed_known(e, r))


@part.conjunct("H6", using=[
    "only_active_generations_serve", "handed_rounds_are_known", "older_configurations_are_dated",
    "lower_rounds_are_outdone",
])
def no_older_configuration_above_at_one(s, m: Matchmaker, e: Epoch, r: Round, x: Round):
    """A matchmaker registers no configuration that is older than one it registered for a lower round, or that
    was handed over."""
    lower = And(s.registered(m, e, r), below(r, x))
    return Not(And(s.registered(m, e, x), Or(lower, s.handed_known(e, r)), is_older(x, r)))


@part.safety("H6", using=[
    "no_older_configuration_above_at_one", "matched_rounds_are_registered", "knowledge_is_handed_over",
    "lower_rounds_are_outdone", "outdone_is_handed_over", "outdone_rounds_are_not_registered",
])
def no_older_configuration_above(s, r: Round, x: Round):
    """No majority, of whichever generation, registers a configuration in a higher round than a newer one."""
    return Not(And(s.matched(r), s.matched(x), below(r, x), is_older(x, r)))


@part.safety("A8", using=["history_is_complete", "barred_rounds_are_never_matched"])
def match_completeness(s, r: Round, w: Round, x: Round):
    """The history of a matched round has each lower matched round from its floor on."""
    return implies(And(s.floor(r, w), s.matched(x), at_most(w, x), below(x, r), x != ZERO), s.history(r, x))


@part.safety("H2", using=["registries_are_handed_over"])
def completed_registrations_are_handed_over(s, d: Epoch, e: Epoch, a: Majority, r: Round, w: Round):
    """What a majority of one generation has registered, each later one begins with, from its watermark on."""
    done = And(is_majority(a, d), each_of(a, lambda m: s.registered(m, d, r)))
    return implies(And(follows(s, d, e), done, s.inherited(e, w), at_most(w, r)), s.handed(e, r))


@part.safety("H2", using=["watermarks_are_handed_over"])
def completed_collections_are_handed_over(s, d: Epoch, e: Epoch, a: Majority, w: Round, x: Round):
    """What a majority of one generation has collected, each later one begins with as collected."""
    done = And(is_majority(a, d), each_of(a, lambda m: s.watermark(m, d, w)))
    return implies(And(follows(s, d, e), done, s.inherited(e, x)), at_most(w, x))


@part.conjunct("A11")
def evidence_has_a_majority(s, e: Epoch, w: Round):
    """What is evidently collected, a majority of one generation has collected."""
    return implies(s.collected(e, w), some_majority(e, lambda m: s.watermark(m, e, w)))


@part.conjunct("A11")
def rounds_are_begun_once(s, i: Round, e: Epoch, w: Round, m: Matchmaker):
    """What was begun after some evidence was begun, and only what was begun is registered."""
    return And(
        implies(s.begun_after(i, e, w), And(s.begun(i), s.collected(e, w))),
        implies(Or(s.registered(m, e, i), s.matched(i)), s.begun(i)),
        implies(Or(s.showed_watermark(m, e, i, w), s.cut(m, e, i, w)), s.registered(m, e, i)),
    )


@part.conjunct("A11", using=["rounds_are_begun_once", "evidence_has_a_majority"])
def later_answers_are_cut(s, i: Round, e: Epoch, w: Round):
    """If a round was begun after the evidence for w, then there is a majority whose answers for that round
    are cut at w or above."""
    def holds(m):
        def each(x: Round):
            return And(s.watermark(m, e, w),
                       implies(And(s.registered(m, e, i), below(x, w)), s.cut(m, e, i, x)))
        return forall(each)
    return implies(s.begun_after(i, e, w), some_majority(e, holds))


@part.conjunct("A11", using=[*NEWEST, "rounds_are_begun_once", "predecessors_have_stopped"])
def earlier_generations_are_silent(s, i: Round, d: Epoch, e: Epoch, w: Round, m: Matchmaker):
    """Those who stopped before the evidence was complete answer for no round that was begun after it."""
    return Not(And(s.begun_after(i, e, w), earlier(d, e), s.active(d), stopper(m, d), s.registered(m, d, i)))


@part.conjunct("A11", using=[
    "later_answers_are_cut", "rounds_are_begun_once", "earlier_generations_are_silent",
    "watermarks_are_handed_over", "answers_are_cut_at_what_was_inherited", "only_active_generations_serve",
    "evidence_has_a_majority", "inherited_watermarks_rise", "generations_have_watermarks",
])
def later_floors_are_above(s, i: Round, e: Epoch, w: Round, f: Round):
    """The floor of a round that was begun after the evidence for w is w or above."""
    return implies(And(s.begun_after(i, e, w), s.floor(i, f)), at_most(w, f))


@part.conclusion()
def generations_have_watermarks(s, e: Epoch):
    """An active generation began with some watermark."""
    def some(w: Round):
        return s.inherited(e, w)
    return implies(s.active(e), exists(some))


@part.conjunct()
def histories_have_floors(s, i: Round, x: Round, f: Round):
    """A history has no round below its floor, and a round has one floor, once it is matched."""
    return And(implies(And(s.history(i, x), s.floor(i, f)), at_most(f, x)),
               implies(Or(s.history(i, x), s.floor(i, x)), s.matched(i)))


@part.conjunct("A11", using=["histories_have_floors"])
def histories_are_of_the_newest(s, r: Round, w: Round, x: Round):
    """No configuration in a history is older than that of its floor."""
    return Not(And(s.floor(r, w), w != ZERO, s.history(r, x), is_older(x, w)))


@part.safety("A11", using=[
    "later_floors_are_above", "floors_were_collected", "collecting_rounds_are_matched", "evidence_has_a_majority",
    "watermarks_were_collected", "no_older_configuration_above",
])
def later_floors_are_not_older(s, i: Round, e: Epoch, w: Round, f: Round):
    """The configuration of the floor of a round that was begun after the evidence for w is not older than that of w."""
    return Not(And(s.begun_after(i, e, w), s.floor(i, f), is_older(f, w)))


@part.safety("A11", using=[
    "later_floors_are_above", "later_floors_are_not_older", "histories_have_floors", "histories_are_of_the_newest",
])
def retirement(s, i: Round, e: Epoch, w: Round, x: Round, f: Round):
    """Phase 1 of a round that was begun after the evidence for w asks no configuration of a round below w, and none
    that is older than that of w, whichever generation answered."""
    asked = And(s.begun_after(i, e, w), s.floor(i, f), s.history(i, x))
    return implies(asked, And(at_most(w, x), Not(is_older(x, w))))
