"""Leaders and acceptors of a log (`matchmaker/src/leader/`, `paxos/src/acceptor.rs`, `archive.rs`), with the
own-adjacent rule: a leader moves to the round right above its own without Phase 1.

A leader *settles* a round by Phase 1, or slot by slot by entering it from the round below. In a settled
round a slot is known (a promise that counts said that it is persisted), or fixed to one value, or free.
The shipped leader switches all slots at once; here it may be slot by slot, which is more.

Acceptors drop votes in slots that they were told are persisted, so a promise shows none there.
"""
from z3 import And, DeclareSort, Not, Or

from checker.logic import Part, SetOf, exists, forall, implies

from .rounds import ZERO, Acceptor, Quorum, Round, Value, all_of, at_most, below, is_phase1, is_phase2

Slot = DeclareSort("Slot")
Archive = DeclareSort("Archive")
ArchiveMajority = DeclareSort("ArchiveMajority")

part = Part("log")
counted = part.fixed_relation("counted", Round, Acceptor)
"""The promise counts in Phase 1 of the round. Foretold: arbitrary, and fixed."""
is_adjacent = part.fixed_relation("is_adjacent", Round, Round)
"""The second round is the own adjacent one of the first: same owner, next step."""
holds_in = part.fixed_relation("holds_in", Archive, ArchiveMajority)
"""The archive is one of the majority."""

for name, sorts in {
    "promised": [Acceptor, Round], "left": [Acceptor, Round],
    "showed": [Acceptor, Round, Slot, Round, Value], "showed_persisted": [Acceptor, Round, Slot],
    "voted": [Acceptor, Round, Slot, Value], "told": [Acceptor, Slot],
    "settled": [Round], "entered": [Round, Slot], "closed": [Round, Slot],
    "free": [Round, Slot], "known": [Round, Slot], "fixed": [Round, Slot, Value],
    "proposed": [Round, Slot, Value], "chosen": [Round, Slot, Value], "archived": [Archive, Slot, Value],
    "told_at_collection": [Round, Acceptor, Slot],
}.items():
    part.relation(name, *sorts)


part.mutant("R30d", "a leader switches to a round that is not adjacent, over one of another leader",
            "fixed_slots_exclude_other_values", at="switch")


@part.axiom
def adjacent_is_above(r: Round, x: Round):
    """An adjacent round is above."""
    return implies(is_adjacent(r, x), below(r, x))


@part.axiom_unless("R30d")
def nothing_lies_between(r: Round, x: Round, y: Round):
    """No round lies between a round and its adjacent one."""
    return implies(And(is_adjacent(r, x), below(r, y)), at_most(x, y))


@part.axiom
def archive_majorities_have_members(a: ArchiveMajority):
    """A majority of archives is not empty."""
    def has(x: Archive):
        return holds_in(x, a)
    return exists(has)


def covers(r, x):
    """The promises that count in round r include a Phase 1 quorum of the configuration of x."""
    def quorum(q: Quorum):
        return And(is_phase1(x, q), all_of(q, lambda n: counted(r, n)))
    return exists(quorum)


def is_persisted(s, t):
    """A majority of the archives has the slot durably."""
    def value(a: ArchiveMajority, v: Value):
        def each(x: Archive):
            return implies(holds_in(x, a), s.archived(x, t, v))
        return forall(each)
    return exists(value)


def is_ready(s, r, t):
    """The slot is settled in round r: by Phase 1, or entered from the adjacent round below."""
    return Or(s.settled(r), s.entered(r, t))


def nothing_proposed(s, r, t):
    """Nothing is proposed in the slot in round r."""
    def no(v: Value):
        return Not(s.proposed(r, t, v))
    return forall(no)


part.mutant("R24", "a leader asks acceptors before its round is registered", "promises_follow_matchmaking")
part.mutant("R02", "an acceptor forgets its promises in a crash", "a_promise_leaves_lower_rounds")
part.mutant("R03", "an acceptor forgets its votes in a crash", "promises_show_votes")


@part.action("paxos::acceptor::Acceptor::on_phase1a; leader::phase1::start_phase1")
def on_phase1a(step, n: Acceptor, i: Round):
    """An acceptor promises a round whose matchmaking is complete, leaves all lower ones, and shows its votes
    and which slots it was told are persisted."""
    s = step.before
    step.require("a round that is used", i != ZERO)
    step.require("matchmaking of the round is complete", s.matched(i), unless="R24")
    step.require("not below the promise", Not(s.left(n, i)))
    step.require("a repeat shows nothing new", Not(s.promised(n, i)))
    step.add("promised", n, i)
    if not step.has_bug("R03"):
        step.add_where("showed", lambda m, r, t, x, v: And(
            m == n, r == i, below(x, i), s.voted(n, x, t, v), Not(s.told(n, t))))
    step.add_where("showed_persisted", lambda m, r, t: And(m == n, r == i, s.told(n, t)))
    if not step.has_bug("R02"):
        step.add_where("left", lambda m, r: And(m == n, below(r, i)))


part.mutant("R09", "Phase 1 waits for no earlier configuration", "phase1_covers_the_history")
part.mutant("R29", "a new leader takes each slot for a hole, whatever the votes in it",
            "settled_free_slots_have_no_votes")


@part.action("matchmaker::leader::Leader::on_phase1b, finish_phase1")
def finish_phase1(step, i: Round, w: Round, heard: SetOf(Slot)):
    """With promises of a Phase 1 quorum of each configuration of the history a leader settles all slots:
    known is what a promise calls persisted, or what it heard so of a majority of archives; free is what has
    no vote."""
    s = step.before

    def is_covered(x: Round):
        return implies(s.history(i, x), covers(i, x))

    def have_promised(n: Acceptor):
        return implies(counted(i, n), s.promised(n, i))

    def are_persisted(t: Slot):
        return implies(heard(t), is_persisted(s, t))

    def is_voted(t):
        def vote(n: Acceptor, x: Round, v: Value):
            return And(counted(i, n), s.showed(n, i, t, x, v))
        return exists(vote)

    def is_told(t):
        def one(n: Acceptor):
            return And(counted(i, n), s.showed_persisted(n, i, t))
        return exists(one)
    step.require("matchmaking of the round is complete", And(i != ZERO, s.matched(i), s.floor(i, w)))
    step.require("Phase 1 is not over yet", Not(s.settled(i)))
    step.require("each earlier configuration is covered", forall(is_covered), unless="R09")
    step.require("what counts was promised", forall(have_promised))
    step.require("what archives have, a majority has", forall(are_persisted))
    step.add("settled", i)
    step.add_where("free", lambda r, t: And(
        r == i, Not(s.entered(i, t)), True if step.has_bug("R29") else Not(is_voted(t))))
    step.add_where("known", lambda r, t: And(r == i, Not(s.entered(i, t)), Or(heard(t), is_told(t))))


part.mutant("R06", "a leader adopts some vote, not that of the highest round",
            "fixed_slots_exclude_other_values")


@part.action("matchmaker::leader::Leader::start_phase2, what Phase 1 found")
def adopt(step, i: Round, w: Round, t: Slot, n: Acceptor, k: Round, v: Value):
    """In a slot with votes a leader adopts the value of the highest one: that slot is fixed."""
    s = step.before

    def is_highest(m: Acceptor, x: Round, y: Value):
        return implies(And(counted(i, m), s.showed(m, i, t, x, y)), at_most(x, k))
    step.require("Phase 1 is over", And(i != ZERO, s.settled(i), Not(s.entered(i, t)), s.floor(i, w)))
    step.require("a vote that counts", And(k != ZERO, counted(i, n), s.showed(n, i, t, k, v)))
    step.require("no vote is higher", forall(is_highest), unless="R06")
    step.add("fixed", i, t, v)


part.mutant("R30b", "after a switch new slots are proposed in the round before",
            "lower_rounds_choose_nothing_else")
part.mutant("R27", "a leader fills slots that are known to be persisted",
            "lower_rounds_choose_nothing_else")
part.mutant("R28", "a new leader puts commands into slots with votes", "lower_rounds_choose_nothing_else")
part.mutant("R30f", "a leader switches before the adjacent round is registered",
            "proposing_rounds_are_settled")
part.mutant("R31", "a proposer forgets in a crash which rounds it has used", "one_value_per_round")
part.mutant("R30i", "after a switch new slots are proposed in the round before as well, with the same values",
            "free_slots_have_nothing_below")


@part.action("matchmaker::leader::Leader::start_phase2, propose_requests, switch")
def propose(step, i: Round, t: Slot, v: Value, j: Round):
    """A leader proposes in a slot of a registered round: the value that the slot is fixed to, or any if it is
    free."""
    s = step.before
    late = And(is_adjacent(i, j), s.proposed(j, t, v)) if step.has_bug("R30i") else False
    step.require("the slot is settled", And(i != ZERO, is_ready(s, i, t)))
    step.require("matchmaking of the round is complete", s.matched(i), unless="R30f")
    step.require("the slot is not closed in the round", Or(Not(s.closed(i, t)), late), unless="R30b")
    step.require("nothing was proposed there", nothing_proposed(s, i, t), unless="R31")
    step.require("it is not known to be persisted", Not(s.known(i, t)), unless="R27")
    step.require("its value is licensed", Or(s.free(i, t), s.fixed(i, t, v)), unless="R28")
    step.add("proposed", i, t, v)


part.mutant("R30a", "a leader proposes other values in its adjacent round",
            "fixed_slots_exclude_other_values")
part.mutant("R30c", "a leader switches from a round that Phase 1 has not settled",
            "free_slots_have_nothing_below")
part.mutant("R30g", "a switch takes slots in flight for free", "free_slots_have_nothing_below")
part.mutant("R30h", "a switch takes slots for free that are known to be persisted",
            "free_slots_have_nothing_below")


@part.action("matchmaker::leader::phase2::Leader::switch, close")
def switch(step, i: Round, j: Round, v: Value, slots: SetOf(Slot)):
    """A leader takes slots from its round i to the own adjacent round j: closed in i for good; in j known if
    they were known, fixed to what was proposed in i or would have been, and free if they were free in i and
    nothing was proposed."""
    s = step.before

    def may_enter(t: Slot):
        settled = s.matched(i) if step.has_bug("R30c") else is_ready(s, i, t)
        return implies(slots(t), And(settled, Not(is_ready(s, j, t))))

    def is_free(t):
        unproposed = True if step.has_bug("R30g") else nothing_proposed(s, i, t)
        unsettled = Not(s.settled(i)) if step.has_bug("R30c") else False
        return And(Or(s.free(i, t), unsettled), unproposed)

    def is_fixed(t, x):
        if step.has_bug("R30a"):
            return x == v
        return Or(s.proposed(i, t, x), And(s.fixed(i, t, x), nothing_proposed(s, i, t)))
    step.require("rounds that are used", And(i != ZERO, j != ZERO))
    step.require("the own adjacent round", is_adjacent(i, j))
    step.require("settled below, and not in the adjacent round", forall(may_enter))
    step.add_where("entered", lambda r, t: And(r == j, slots(t)))
    step.add_where("closed", lambda r, t: And(r == i, slots(t)))
    step.add_where("free", lambda r, t: And(r == j, slots(t), is_free(t)))
    if not step.has_bug("R30h"):
        step.add_where("known", lambda r, t: And(r == j, slots(t), s.known(i, t)))
    step.add_where("fixed", lambda r, t, x: And(r == j, slots(t), is_fixed(t, x)))


part.mutant("R05", "a vote does not raise the promise", "a_vote_leaves_lower_rounds")


@part.action("paxos::acceptor::Acceptor::on_phase2a")
def on_phase2a(step, n: Acceptor, i: Round, t: Slot, v: Value):
    """An acceptor votes for what is proposed, unless it has left the round; it leaves all lower ones."""
    s = step.before
    step.require("it is proposed", And(i != ZERO, s.proposed(i, t, v)))
    step.require("not below the promise", Not(s.left(n, i)))
    step.add("voted", n, i, t, v)
    if not step.has_bug("R05"):
        step.add_where("left", lambda m, r: And(m == n, below(r, i)))


part.mutant("R73", "some votes make a value chosen, though no Phase 2 quorum has voted",
            "what_is_chosen_has_a_quorum")


@part.action("matchmaker::leader::Leader::on_phase2b")
def on_phase2b(step, i: Round, t: Slot, v: Value, q: Quorum):
    """A leader learns that a Phase 2 quorum of a round has voted: the value is chosen. Late votes in the round
    before a switch count, with the quorums of that round."""
    s = step.before
    step.require("a round that is used", i != ZERO)
    step.require("a Phase 2 quorum", is_phase2(i, q), unless="R73")
    step.require("all of it have voted", all_of(q, lambda n: s.voted(n, i, t, v)))
    step.add("chosen", i, t, v)


@part.action("paxos::replica::Replica::on_chosen; paxos::archive::Archive::on_store")
def on_store(step, x: Archive, i: Round, t: Slot, v: Value):
    """An archive stores a chosen value."""
    step.require("it is chosen", step.before.chosen(i, t, v))
    step.add("archived", x, t, v)


part.mutant("R25", "a leader takes for persisted what a single archive may not even hold",
            "what_is_told_is_persisted")


@part.action("paxos::acceptor::Acceptor::on_persisted_a; leader::garbage::tell")
def on_persisted_a(step, n: Acceptor, t: Slot):
    """An acceptor is told that a majority of the archives has a slot; it drops its votes there."""
    step.require("a majority has it", is_persisted(step.before, t), unless="R25")
    step.add("told", n, t)
