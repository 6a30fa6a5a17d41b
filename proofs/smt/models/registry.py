"""One generation of matchmakers, and matchmaking with it (`matchmaker/src/matchmaker.rs`,
`leader/matching.rs`, `leader/garbage.rs`).

To leaders it promises, for a round whose matchmaking is complete:

- `history_is_complete`: each lower round, from the floor on, is in the history or barred for ever;
- `floors_were_collected`: the floor is zero, or a round for which `GarbageA` was sent;
- `barred_rounds_are_never_matched`.

`generations.py` promises the same of many generations, so leaders are proved safe with either.

`outdone` and `dated` are rounds that a matchmaker refuses: because of a higher one, and because it knows a
newer configuration. What is registered stays in the relation `registered`; a matchmaker deletes what is below its watermark,
and shows only what is not below it. That is the same.
"""
from z3 import And, BoolVal, DeclareSort, Not, Or

from checker.logic import Part, exists, forall, implies

from .rounds import ZERO, Round, at_most, below

Matchmaker = DeclareSort("Matchmaker")
Majority = DeclareSort("Majority")

part = Part("registry")
of = part.fixed_relation("of", Matchmaker, Majority)
"""The matchmaker is one of the majority."""
is_older = part.fixed_relation("is_older", Round, Round)
"""The configuration of the one round has an earlier version than that of the other."""
part.relation("begun", Round)
part.relation("begun_after", Round, Round)
part.relation("registered", Matchmaker, Round)
part.relation("outdone", Matchmaker, Round)
part.relation("dated", Matchmaker, Round)
part.relation("watermark", Matchmaker, Round)
part.relation("showed_round", Matchmaker, Round, Round)
part.relation("showed_watermark", Matchmaker, Round, Round)
part.relation("cut", Matchmaker, Round, Round)
part.relation("matched", Round)
part.relation("history", Round, Round)
part.relation("floor", Round, Round)
part.relation("barred", Round)
part.relation("garbage", Round)
part.relation("collected", Round)


def each_of(majority, holds):
    """`holds` of every matchmaker in the majority."""
    def each(m: Matchmaker):
        return implies(of(m, majority), holds(m))
    return forall(each)


def one_of(majority, holds):
    """`holds` of some matchmaker in the majority."""
    def one(m: Matchmaker):
        return And(of(m, majority), holds(m))
    return exists(one)


def some_majority(holds):
    """Some majority consists of matchmakers of which `holds`."""
    def some(majority: Majority):
        return each_of(majority, holds)
    return exists(some)


part.mutant("R11", "matchmaking is complete with f answers", "barred_rounds_are_never_matched",
            at="finish_matching")


@part.axiom_unless("R11")
def majorities_meet(a: Majority, b: Majority):
    """Any two majorities of the matchmakers have a member in common."""
    return one_of(a, lambda m: of(m, b))


@part.axiom
def versions_are_ordered(r: Round, x: Round, y: Round):
    """Configurations are ranked by version: being older is transitive, and never mutual."""
    return And(
        implies(And(is_older(r, x), is_older(x, y)), is_older(r, y)), Not(is_older(r, r)),
        implies(is_older(r, y), Or(is_older(r, x), is_older(x, y))),
    )


@part.action("matchmaker::leader::Leader::start_matching, start_next")
def start_matching(step, i: Round):
    """A proposer begins to register a round that it has not used before."""
    s = step.before
    step.require("a round that is used", i != ZERO)
    step.require("the round is new", Not(s.begun(i)))
    step.add("begun", i)
    step.add_where("begun_after", lambda r, w: And(r == i, s.collected(w)))


part.mutant("R13", "a matchmaker registers rounds below its highest", "barred_rounds_are_refused")
part.mutant("R12x", "a matchmaker hides a round below", "shown_histories_are_complete")
part.mutant("R32b", "a matchmaker registers a configuration that is older than the newest it knows",
            "no_older_configuration_above_at_one")


@part.action("matchmaker::matchmaker::Matchmaker::on_match_a")
def on_match_a(step, m: Matchmaker, i: Round, w: Round):
    """A matchmaker registers a round above all that it has registered or collected below, and shows its
    watermark w and all rounds that it has registered from there on."""
    s = step.before
    step.require("the round was begun", s.begun(i))
    step.require("the round is not registered yet", Not(s.registered(m, i)))
    step.require("no higher round is registered or collected", Not(s.outdone(m, i)), unless="R13")
    step.require("no newer configuration is known", Not(s.dated(m, i)), unless="R32b")
    forgets = step.has_bug("R15")
    step.require("its watermark", w == ZERO if forgets else is_watermark(s, m, w))
    step.require("not below its watermark", at_most(w, i), unless="R17")
    step.add("registered", m, i)
    step.add_where("outdone", lambda n, r: And(n == m, below(r, i)))
    step.add_where("dated", lambda n, r: And(n == m, is_older(r, i)))
    step.add("showed_watermark", m, i, w)
    step.add_where("cut", lambda n, r, x: And(n == m, r == i, below(x, w)))
    if not step.has_bug("R12x"):
        step.add_where("showed_round", lambda n, r, x: And(
            n == m, r == i, below(x, i), at_most(w, x), s.registered(m, x),
            Not(deleted(s, m, x)) if forgets else True))


def is_watermark(s, m, w):
    """w is the highest round below which m was told to collect; zero if there is none."""
    def highest(x: Round):
        return implies(s.watermark(m, x), at_most(x, w))
    return And(Or(w == ZERO, s.watermark(m, w)), forall(highest))


def deleted(s, m, x):
    """m was told to collect below a round above x."""
    def higher(y: Round):
        return And(s.watermark(m, y), below(x, y))
    return exists(higher)


@part.action("matchmaker::matchmaker::Matchmaker::on_match_a, a repeat")
def on_match_a_again(step, m: Matchmaker, i: Round, w: Round):
    """A matchmaker answers a repeat from its log: with what it showed, cut at its present watermark."""
    s = step.before
    step.require("the round is registered", s.registered(m, i))
    step.require("its watermark", And(is_watermark(s, m, w), at_most(w, i)))
    step.add("showed_watermark", m, i, w)


part.mutant("R12", "the history is that of one matchmaker, not the union", "barred_rounds_are_refused")
part.mutant("R32c", "Phase 1 asks configurations that are older than that of the watermark",
            "histories_are_of_the_newest", at="finish_matching")


def is_void(x, w):
    """The configuration of x is older than that of w, below which all is collected: its machines may be gone."""
    return And(w != ZERO, below(w, x), is_older(x, w))


@part.action("matchmaker::leader::Leader::on_match_b, finish_matching")
def finish_matching(step, i: Round, majority: Majority, w: Round, m: Matchmaker):
    """With the answers of a majority a leader knows the history of its round: the union of what they
    showed, from the highest of their watermarks on, without what is void. Lower rounds that are not in it are
    barred."""
    s = step.before
    step.require("a round that is used", i != ZERO)
    step.require("matchmaking of the round is not complete yet", Not(s.matched(i)))
    step.require("a majority has registered it", each_of(majority, lambda n: s.registered(n, i)))
    step.require("one of the majority", of(m, majority))
    step.require("a watermark that one of them showed",
                 Or(w == ZERO, one_of(majority, lambda n: s.showed_watermark(n, i, w))))
    step.require("no watermark is higher", nothing_cut_above(s, i, majority, w), unless="R16")
    heard = (lambda x: s.showed_round(m, i, x)) if step.has_bug("R12") else (
        lambda x: one_of(majority, lambda n: s.showed_round(n, i, x)))
    void = (lambda x: BoolVal(False)) if step.has_bug("R32c") else (lambda x: is_void(x, w))
    step.add("matched", i)
    step.add("floor", i, w)
    step.add_where("history", lambda r, x: And(r == i, at_most(w, x), heard(x), Not(void(x))))
    step.add_where("barred", lambda x: And(
        below(x, i), at_most(w, x), x != ZERO, Or(Not(heard(x)), void(x))))


def nothing_cut_above(s, i, majority, w):
    """The majority cut their histories of round i at w or below."""
    def cut(n: Matchmaker, x: Round):
        return implies(And(of(n, majority), s.cut(n, i, x)), below(x, w))
    return forall(cut)


@part.conjunct("A9")
def lower_rounds_are_outdone(s, m: Matchmaker, r: Round, x: Round):
    """A matchmaker that has registered a round refuses all lower ones from then on."""
    return implies(And(s.registered(m, r), below(x, r)), s.outdone(m, x))


@part.conjunct("A8")
def shown_histories_are_complete(s, m: Matchmaker, r: Round, x: Round):
    """A matchmaker that answers for a round shows each lower one that it has registered, unless it is
    below the watermark of the answer."""
    return implies(And(s.registered(m, r), below(x, r), s.registered(m, x)),
                   Or(s.showed_round(m, r, x), s.cut(m, r, x)))


@part.conjunct("A8")
def matched_rounds_are_registered(s, r: Round):
    """A round whose matchmaking is complete is registered by a majority."""
    return implies(s.matched(r), some_majority(lambda m: s.registered(m, r)))


@part.conjunct("H6")
def older_configurations_are_dated(s, m: Matchmaker, r: Round, x: Round):
    """A matchmaker that has registered a configuration refuses all older ones from then on."""
    return implies(And(s.registered(m, r), is_older(x, r)), s.dated(m, x))


@part.conjunct("A8", using=[
    "older_configurations_are_dated", "no_older_configuration_above_at_one", "matched_rounds_are_registered",
    "collecting_rounds_are_matched", "shown_watermarks_were_collected",
])
def barred_rounds_are_refused(s, r: Round):
    """For a barred round there is a majority that has not registered it and never will."""
    def refuses(m):
        return And(Or(s.outdone(m, r), s.dated(m, r)), Not(s.registered(m, r)))
    return implies(s.barred(r), some_majority(refuses))


@part.conjunct("A8", using=["barred_rounds_are_refused", "matched_rounds_are_registered"])
def barred_rounds_are_never_matched(s, r: Round):
    """Matchmaking of a barred round is never complete."""
    return Not(And(s.barred(r), s.matched(r)))


@part.conjunct("A8")
def history_is_complete(s, r: Round, w: Round, x: Round):
    """Each round below a matched one, from its floor on, is in its history or barred."""
    return implies(And(s.floor(r, w), below(x, r), at_most(w, x), x != ZERO),
                   Or(s.history(r, x), s.barred(x)))


@part.conjunct("A9")
def shown_watermarks_were_collected(s, m: Matchmaker, r: Round, w: Round):
    """A watermark in an answer is that of a collection, and not above the round of the answer."""
    return implies(s.showed_watermark(m, r, w), And(at_most(w, r), Or(w == ZERO, s.garbage(w))))


@part.conjunct("A9")
def watermarks_were_collected(s, m: Matchmaker, w: Round):
    """A matchmaker collects below a round only when its leader has asked for it."""
    return implies(s.watermark(m, w), s.garbage(w))


@part.conjunct("A10")
def collecting_rounds_are_matched(s, r: Round):
    """A leader sends GarbageA only after matchmaking of its round."""
    return implies(s.garbage(r), And(r != ZERO, s.matched(r)))


@part.conjunct("A9", using=["shown_watermarks_were_collected", "collecting_rounds_are_matched"])
def floors_were_collected(s, r: Round, w: Round):
    """The floor of a round is below it, and zero or the round of a collection."""
    return implies(s.floor(r, w), And(below(w, r), Or(w == ZERO, s.garbage(w))))


@part.conjunct("H6", using=["older_configurations_are_dated", "lower_rounds_are_outdone"])
def no_older_configuration_above_at_one(s, m: Matchmaker, r: Round, x: Round):
    """At one matchmaker no configuration is registered in a higher round than a newer one."""
    return Not(And(s.registered(m, r), s.registered(m, x), below(r, x), is_older(x, r)))


@part.safety("H6", using=["no_older_configuration_above_at_one", "matched_rounds_are_registered"])
def no_older_configuration_above(s, r: Round, x: Round):
    """No majority registers a configuration in a higher round than a newer one."""
    return Not(And(s.matched(r), s.matched(x), below(r, x), is_older(x, r)))


@part.conjunct()
def histories_have_floors(s, i: Round, x: Round, f: Round):
    """A history has no round below its floor, and a round has one floor, once it is matched."""
    return And(implies(And(s.history(i, x), s.floor(i, f)), at_most(f, x)),
               implies(s.history(i, x), s.matched(i)), implies(s.floor(i, f), s.matched(i)))


@part.conjunct("A11", using=["histories_have_floors"])
def histories_are_of_the_newest(s, r: Round, w: Round, x: Round):
    """No configuration in a history is older than that of its floor."""
    return Not(And(s.floor(r, w), w != ZERO, s.history(r, x), is_older(x, w)))


@part.safety("A8", using=["history_is_complete", "barred_rounds_are_never_matched"])
def match_completeness(s, r: Round, w: Round, x: Round):
    """The history of a matched round has each lower matched round from its floor on."""
    return implies(And(s.floor(r, w), s.matched(x), at_most(w, x), below(x, r), x != ZERO), s.history(r, x))


@part.step("A9", using=["lower_rounds_are_outdone"])
def rounds_are_registered_upwards(s, t, m: Matchmaker, r: Round, x: Round):
    """A matchmaker registers no round below one that it has registered or collected."""
    new = And(t.registered(m, r), Not(s.registered(m, r)))
    return Not(And(new, Or(s.outdone(m, r), And(s.registered(m, x), below(r, x)))))
