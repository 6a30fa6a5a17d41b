"""Generations of matchmakers, and their handover (`matchmaker/src/matchmaker.rs`, `reconfigurer/`,
`leader/handover.rs`).

What `registry.py` says of one generation is said of each here, and beside it how one follows another. To
leaders it promises the same. A generation is *active* once its decree has chosen it: from then on its
members may serve, one by one, as they hear of it. That at most one successor is chosen for a generation
is what a decree is for; model 0 proves it.

A round that was handed over counts as registered by every member of the new generation. Perhaps only a
minority of the old ones had it, and a majority has since registered a higher round without seeing it: so
a round that was handed over below a higher one is *outdone*, and is never answered.
"""
from z3 import And, BoolVal, DeclareSort, Not, Or

from checker.logic import Part, exists, forall, implies

from .registry import Majority, Matchmaker, each_of, is_older, of, one_of
from . import registry
from .rounds import ZERO, Round, at_most, below

Epoch = DeclareSort("Epoch")

part = Part("generations")
part.fixed["of"] = of
part.fixed["is_older"] = is_older
part.axioms.extend(axiom for axiom in registry.part.axioms if axiom[0] == "versions_are_ordered")
not_after = part.fixed_relation("not_after", Epoch, Epoch)
"""The order of epochs."""
FOUNDING = part.constant("founding", Epoch)
"""The epoch that the cluster was founded with."""
is_majority = part.fixed_relation("is_majority", Majority, Epoch)
"""A majority of the members of the generation."""
stopper = part.fixed_relation("stopper", Matchmaker, Epoch)
"""One of the majority whose answers to StopA the chosen successor of the generation was merged from."""

for name, sorts in {
    "begun": [Round], "begun_after": [Round, Epoch, Round],
    "registered": [Matchmaker, Epoch, Round], "outdone": [Matchmaker, Epoch, Round],
    "dated": [Matchmaker, Epoch, Round],
    "watermark": [Matchmaker, Epoch, Round], "showed_round": [Matchmaker, Epoch, Round, Round],
    "showed_watermark": [Matchmaker, Epoch, Round, Round], "cut": [Matchmaker, Epoch, Round, Round],
    "stopped": [Matchmaker, Epoch], "active": [Epoch], "current": [Epoch],
    "handed": [Epoch, Round], "handed_outdone": [Epoch, Round], "inherited": [Epoch, Round],
    "handed_known": [Epoch, Round], "handed_dated": [Epoch, Round],
    "matched": [Round], "history": [Round, Round], "floor": [Round, Round], "barred": [Round],
    "garbage": [Round], "collected": [Epoch, Round],
}.items():
    part.relation(name, *sorts)
# registered, outdone, dated, watermark, showed_*, cut: as in `registry.py`, of a member of a generation.
# stopped: the member has told what it knows, and answers no proposer of the generation any more.
# current: the newest active generation. handed, handed_outdone: a round that the generation began with,
# one below the highest of those or below the watermark. inherited: the watermark that it began with.
# handed_known: the generation began with knowledge of the configuration of that round; handed_dated: of one that
# is newer than the configuration of that round.


def earlier(e, d):
    """The epoch e is before d."""
    return And(not_after(e, d), e != d)


@part.axiom
def epochs_are_ordered(d: Epoch, e: Epoch, f: Epoch):
    """Epochs are totally ordered."""
    return And(
        not_after(e, e), implies(And(not_after(d, e), not_after(e, f)), not_after(d, f)),
        implies(And(not_after(d, e), not_after(e, d)), d == e), Or(not_after(d, e), not_after(e, d)),
    )


@part.axiom
def majorities_of_a_generation_meet(e: Epoch, a: Majority, b: Majority):
    """Any two majorities of one generation have a member in common; those of two need not."""
    return implies(And(is_majority(a, e), is_majority(b, e)), one_of(a, lambda m: of(m, b)))


def some_majority(e, holds):
    """Some majority of the generation consists of matchmakers of which `holds`."""
    def some(majority: Majority):
        return And(is_majority(majority, e), each_of(majority, holds))
    return exists(some)


@part.axiom_unless("R35")
def who_stopped_are_a_majority(e: Epoch):
    """Those whose answers are merged include a majority of the generation."""
    return some_majority(e, lambda m: stopper(m, e))


@part.holds_initially("active")
def one_generation_is_active(e):
    """The founding generation is active."""
    return e == FOUNDING


@part.holds_initially("current")
def one_generation_is_current(e):
    """The founding generation is current."""
    return e == FOUNDING


@part.holds_initially("inherited")
def nothing_is_collected(e, w):
    """The founding generation begins with nothing collected."""
    return And(e == FOUNDING, w == ZERO)


@part.action("matchmaker::leader::Leader::start_matching, start_next")
def start_matching(step, i: Round):
    """A proposer begins to register a round that it has not used before."""
    s = step.before
    step.require("a round that is used", i != ZERO)
    step.require("the round is new", Not(s.begun(i)))
    step.add("begun", i)
    step.add_where("begun_after", lambda r, e, w: And(r == i, s.collected(e, w)))


def is_watermark(s, m, e, w):
    """w is the highest round below which m was told to collect, or that it began with."""
    def highest(x: Round):
        return implies(Or(s.watermark(m, e, x), s.inherited(e, x)), at_most(x, w))
    return And(Or(s.inherited(e, w), s.watermark(m, e, w)), forall(highest))


part.mutant("R33", "a stopped matchmaker still answers proposers", "registries_are_handed_over")
part.mutant("R13", "a matchmaker registers rounds below its highest", "barred_rounds_are_refused")
part.mutant("R38", "a new matchmaker registers rounds below those that were handed over to it",
            "outdone_rounds_are_not_registered")
part.mutant("R38b", "a new matchmaker answers rounds that were handed over below a higher one",
            "outdone_rounds_are_not_registered")
part.mutant("R37b", "a new matchmaker begins without the rounds that were handed over to it",
            "shown_histories_are_complete")
part.mutant("R32b", "a matchmaker registers a configuration that is older than the newest it knows",
            "no_older_configuration_above_at_one")


@part.action("matchmaker::matchmaker::Matchmaker::on_match_a")
def on_match_a(step, m: Matchmaker, e: Epoch, i: Round, w: Round):
    """A member of a generation registers a round, or answers for one that was handed over as the highest,
    and shows its watermark w and all rounds that it has registered or that were handed over, from there on."""
    s = step.before
    step.require("the round was begun", And(i != ZERO, s.begun(i)))
    step.require("the generation has been chosen", s.active(e))
    step.require("it has not stopped", Not(s.stopped(m, e)), unless="R33")
    step.require("the round is not registered yet", Not(s.registered(m, e, i)))
    handed = s.handed(e, i)
    outdone = s.handed_outdone(e, i)
    if step.has_bug("R38"):
        outdone = And(outdone, handed)
    if step.has_bug("R38b"):
        outdone = And(outdone, Not(handed))
    step.require("no higher round was handed over", Not(outdone))
    step.require("no higher round is registered here, unless this one was handed over",
                 Or(handed, Not(s.outdone(m, e, i))), unless="R13")
    step.require("no newer configuration is known", Not(Or(s.dated(m, e, i), s.handed_dated(e, i))),
                 unless="R32b")
    step.require("its watermark", And(is_watermark(s, m, e, w), at_most(w, i)))
    keeps = BoolVal(not step.has_bug("R37b"))
    step.add("registered", m, e, i)
    step.add_where("outdone", lambda n, d, r: And(n == m, d == e, below(r, i)))
    step.add_where("dated", lambda n, d, r: And(n == m, d == e, is_older(r, i)))
    step.add("showed_watermark", m, e, i, w)
    step.add_where("cut", lambda n, d, r, x: And(n == m, d == e, r == i, below(x, w)))
    step.add_where("showed_round", lambda n, d, r, x: And(
        n == m, d == e, r == i, below(x, i), at_most(w, x),
        Or(s.registered(m, e, x), And(s.handed(e, x), keeps))))


@part.action("matchmaker::matchmaker::Matchmaker::on_match_a, a repeat")
def on_match_a_again(step, m: Matchmaker, e: Epoch, i: Round, w: Round):
    """A matchmaker answers a repeat from its log: with what it showed, cut at its present watermark."""
    s = step.before
    step.require("the round is registered", s.registered(m, e, i))
    step.require("its watermark", And(is_watermark(s, m, e, w), at_most(w, i)))
    step.add("showed_watermark", m, e, i, w)


part.mutant("R40", "answers of the old matchmakers count together with those of the new ones",
            "matched_rounds_are_registered")
part.mutant("R32c", "Phase 1 asks configurations that are older than that of the watermark",
            "histories_are_of_the_newest", at="finish_matching")


@part.action("matchmaker::leader::Leader::on_match_b, finish_matching, follow_matchmakers")
def finish_matching(step, i: Round, e: Epoch, majority: Majority, w: Round, b: Round, d: Epoch):
    """With the answers of a majority of one generation a leader knows the history of its round: the union of
    what they showed, from the highest of their watermarks on, without what is void. Lower rounds that are not in it
    are barred. (b is the watermark that the generation began with; d matters to a bug only.)"""
    s = step.before
    step.require("a round that is used", i != ZERO)
    step.require("matchmaking of the round is not complete yet", Not(s.matched(i)))
    step.require("the generation began", s.inherited(e, b))
    step.require("a majority of one generation", And(s.active(e), is_majority(majority, e)))
    mixed = step.has_bug("R40")

    def answered(m):
        return Or(s.registered(m, e, i), s.registered(m, d, i) if mixed else False)

    def showed(m, x):
        return Or(s.showed_round(m, e, i, x), s.showed_round(m, d, i, x) if mixed else False)
    step.require("has registered it", each_of(majority, answered))
    step.require("a watermark that one of them showed",
                 Or(s.inherited(e, w), one_of(majority, lambda m: s.showed_watermark(m, e, i, w))))

    def cut(m: Matchmaker, x: Round):
        return implies(And(of(m, majority), s.cut(m, e, i, x)), below(x, w))
    step.require("no watermark is higher", forall(cut))

    def heard(x):
        return one_of(majority, lambda m: showed(m, x))
    void = (lambda x: BoolVal(False)) if step.has_bug("R32c") else (lambda x: registry.is_void(x, w))
    step.add("matched", i)
    step.add("floor", i, w)
    step.add_where("history", lambda r, x: And(r == i, at_most(w, x), heard(x), Not(void(x))))
    step.add_where("barred", lambda x: And(
        below(x, i), at_most(w, x), x != ZERO, Or(Not(heard(x)), void(x))))


@part.action("matchmaker::matchmaker::Matchmaker::on_garbage_a")
def on_garbage_a(step, m: Matchmaker, e: Epoch, i: Round):
    """A matchmaker forgets all rounds below one, and refuses them from then on."""
    s = step.before
    step.require("it was asked to", s.garbage(i))
    step.require("the generation has been chosen", s.active(e))
    step.require("it has not stopped", Not(s.stopped(m, e)))
    step.add("watermark", m, e, i)
    step.add_where("outdone", lambda n, d, r: And(n == m, d == e, below(r, i)))


part.mutant("R43", "old matchmakers that have collected count together with new ones",
            "evidence_has_a_majority")


@part.action("matchmaker::leader::Leader::on_garbage_b, finish_collection, collect_again")
def finish_collection(step, i: Round, e: Epoch, majority: Majority, d: Epoch):
    """With the answers of a majority of one generation it is evident that nobody will hear of lower rounds
    again."""
    s = step.before
    step.require("a majority of one generation", And(s.active(e), is_majority(majority, e)))
    mixed = step.has_bug("R43")
    step.require("has collected", each_of(majority, lambda m: Or(
        s.watermark(m, e, i), s.watermark(m, d, i) if mixed else False)))
    step.add("collected", e, i)


@part.action("matchmaker::matchmaker::Matchmaker::on_stop_a, on_decree_a")
def on_stop_a(step, m: Matchmaker, e: Epoch):
    """A member of an active generation stops."""
    s = step.before
    step.require("the generation has been chosen", s.active(e))
    step.add("stopped", m, e)


part.mutant("R34", "a driver has a successor chosen before any matchmaker has stopped",
            "predecessors_have_stopped")
part.mutant("R35", "a driver merges what fewer than f + 1 stopped matchmakers know",
            "barred_rounds_are_refused", at="finish_matching")
part.mutant("R36", "a driver hands over what one stopped matchmaker knows, not the union",
            "registries_are_handed_over")
part.mutant("R37a", "a driver hands over no rounds that it inherited", "handed_rounds_are_handed_on")
part.mutant("R39", "a driver installs the successor it wants without a decree",
            "one_generation_is_the_newest")
part.mutant("R41", "a driver hands over a watermark that is not the highest",
            "watermarks_are_handed_over")


@part.action("matchmaker::reconfigurer::stopping::merge, on_decree_b; Matchmaker::on_activate_a")
def install(step, e: Epoch, f: Epoch, w: Round, b: Round, m: Matchmaker):
    """The decree of the current generation e chooses its successor f: what a majority that has stopped knows
    together, from the highest watermark w on. (b is the watermark that e began with; m matters to a bug only.)"""
    s = step.before
    step.require("the decree chooses one successor", s.current(e) if not step.has_bug("R39") else s.active(e))
    step.require("the generation began", s.inherited(e, b))
    step.require("the successor is new and later", And(earlier(e, f), Not(s.active(f))))
    step.require("a majority has stopped", stoppers(e, lambda n: s.stopped(n, e)), unless="R34")
    highest = And(
        stoppers(e, lambda n: forall_watermarks(s, n, e, w)), inherited_is_at_most(s, e, w),
    )
    step.require("one of those that stopped", stopper(m, e))
    step.require("a watermark of one of them",
                 Or(s.inherited(e, w), some_stopper(e, lambda n: s.watermark(n, e, w))))
    step.require("no watermark is higher", highest, unless="R41")
    told = (lambda holds: holds(m)) if step.has_bug("R36") else (lambda holds: some_stopper(e, holds))
    inherits = BoolVal(not step.has_bug("R37a"))
    step.add("active", f)
    step.assign("current", lambda d: d == f)
    step.add("inherited", f, w)
    step.add_where("handed", lambda d, r: And(
        d == f, at_most(w, r),
        Or(And(s.handed(e, r), inherits), told(lambda n: s.registered(n, e, r)))))
    step.add_where("handed_outdone", lambda d, r: And(
        d == f, Or(s.handed_outdone(e, r), told(lambda n: s.outdone(n, e, r)))))
    step.add_where("handed_known", lambda d, r: And(
        d == f, Or(s.handed_known(e, r), told(lambda n: s.registered(n, e, r)))))
    step.add_where("handed_dated", lambda d, r: And(
        d == f, Or(s.handed_dated(e, r), told(lambda n: s.dated(n, e, r)))))


def stoppers(e, holds):
    """`holds` of everyone whose answer was merged."""
    def each(n: Matchmaker):
        return implies(stopper(n, e), holds(n))
    return forall(each)


def some_stopper(e, holds):
    """`holds` of someone whose answer was merged."""
    def one(n: Matchmaker):
        return And(stopper(n, e), holds(n))
    return exists(one)


def forall_watermarks(s, n, e, w):
    """n has no watermark above w."""
    def each(x: Round):
        return implies(s.watermark(n, e, x), at_most(x, w))
    return forall(each)


def inherited_is_at_most(s, e, w):
    """The generation began with no watermark above w."""
    def each(x: Round):
        return implies(s.inherited(e, x), at_most(x, w))
    return forall(each)
