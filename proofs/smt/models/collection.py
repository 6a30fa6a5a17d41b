"""Model b: model a with garbage collection of configurations, and the evidence for switching off.

`GarbageA(i)` in scenario 1 (a value was chosen in round i) and scenario 2 (Phase 1 of i met no vote). What
scenario 3 adds needs slots, and is in model d.
"""
from z3 import And, Not

from checker.logic import Part, forall, implies

from . import acceptors, collecting, decree, registry, rounds, stories
from .registry import Majority, Matchmaker, each_of, is_older, of
from .rounds import Round, at_most, below

part = Part("collection")


# Bugs of a registry that matter only once something is collected (`registry.py` asks for them).
part.mutant("R15", "a matchmaker forgets its watermark, not what it deleted",
            "shown_histories_are_complete")
part.mutant("R16", "a leader takes a watermark that is not the highest", "later_floors_are_above")
part.mutant("R17", "a matchmaker registers rounds below its watermark", "watermarks_outdo_lower_rounds")


@part.action("matchmaker::matchmaker::Matchmaker::on_garbage_a")
def on_garbage_a(step, m: Matchmaker, i: Round):
    """A matchmaker forgets all rounds below one, and refuses them from then on."""
    s = step.before
    step.require("it was asked to", s.garbage(i))
    step.add("watermark", m, i)
    if not step.has_bug("R17"):
        step.add_where("outdone", lambda n, r: And(n == m, below(r, i)))


part.mutant("R43x", "one matchmaker that has collected counts for all", "evidence_has_a_majority")


@part.action("matchmaker::single::SingleProposer::on_garbage_b, leader::garbage::finish_collection")
def finish_collection(step, i: Round, majority: Majority, m: Matchmaker):
    """With the answers of a majority it is evident that nobody will hear of lower rounds again: their
    machines that have no part in the configuration of i, or a newer one, may be switched off."""
    s = step.before
    step.require("one of the majority", of(m, majority))
    answered = each_of(majority, lambda n: s.watermark(n, i))
    step.require("a majority has collected", s.watermark(m, i) if step.has_bug("R43x") else answered)
    step.add("collected", i)


@part.conjunct("A9")
def watermarks_outdo_lower_rounds(s, m: Matchmaker, w: Round, x: Round):
    """A matchmaker refuses all rounds below its watermark."""
    return implies(And(s.watermark(m, w), below(x, w)), s.outdone(m, x))


@part.conjunct("A11")
def evidence_has_a_majority(s, w: Round):
    """What is evidently collected, a majority has collected."""
    return implies(s.collected(w), registry.some_majority(lambda m: s.watermark(m, w)))


@part.conjunct("A11")
def rounds_are_begun_once(s, i: Round, w: Round, m: Matchmaker):
    """What was begun after some evidence was begun, and only what was begun is registered."""
    return And(implies(s.begun_after(i, w), s.begun(i)), implies(s.registered(m, i), s.begun(i)),
               implies(s.showed_watermark(m, i, w), s.registered(m, i)),
               implies(s.cut(m, i, w), s.registered(m, i)),
               implies(s.matched(i), s.begun(i)))


@part.conjunct("A11")
def later_answers_are_cut(s, i: Round, w: Round):
    """If a round was begun after the evidence for w, then there is a majority whose answers for that round
    are cut at w or above."""
    def cut_above(m: Matchmaker, x: Round):
        return implies(And(s.registered(m, i), below(x, w)), s.cut(m, i, x))

    def holds(m):
        def each(x: Round):
            return And(s.watermark(m, w), cut_above(m, x))

        return forall(each)
    return implies(s.begun_after(i, w), registry.some_majority(holds))


@part.conjunct("A11", using=["later_answers_are_cut", "rounds_are_begun_once"])
def later_floors_are_above(s, i: Round, w: Round, f: Round):
    """The floor of a round that was begun after the evidence for w is w or above."""
    return implies(And(s.begun_after(i, w), s.floor(i, f)), at_most(w, f))


@part.safety("A11", using=[
    "later_floors_are_above", "floors_were_collected", "collecting_rounds_are_matched", "evidence_has_a_majority",
    "watermarks_were_collected", "no_older_configuration_above",
])
def later_floors_are_not_older(s, i: Round, w: Round, f: Round):
    """The configuration of the floor of a round that was begun after the evidence for w is not older than that of w."""
    return Not(And(s.begun_after(i, w), s.floor(i, f), is_older(f, w)))


@part.safety("A11", using=[
    "later_floors_are_above", "later_floors_are_not_older", "histories_have_floors", "histories_are_of_the_newest",
])
def retirement(s, i: Round, w: Round, x: Round, f: Round):
    """Phase 1 of a round that was begun after the evidence for w asks no configuration of a round below w, and none
    that is older than that of w: machines that have no part in that one or a newer one may be switched off."""
    asked = And(s.begun_after(i, w), s.floor(i, f), s.history(i, x))
    return implies(asked, And(at_most(w, x), Not(is_older(x, w))))


PARTS = [rounds.part, registry.part, acceptors.part, decree.part, collecting.part, part]

RUNS, HARM = stories.COLLECTION_RUNS, stories.COLLECTION_HARM
