"""When a leader of a log may have lower configurations collected (`matchmaker/src/leader/garbage.rs`)."""
from z3 import And, Not, Or

from checker.logic import exists, forall

from .log import is_adjacent, is_persisted, part, Slot
from .rounds import ZERO, Quorum, Round, Value, all_of, is_phase2, some_of


def has_votes(s, r, t):
    """A Phase 2 quorum of round r has voted for one value in the slot, in r (scenario 1)."""
    def votes(q: Quorum, v: Value):
        return And(is_phase2(r, q), all_of(q, lambda n: s.voted(n, r, t, v)))
    return exists(votes)


def is_unused(s, r, t):
    """Nothing was proposed in the slot below r, nor will be (scenario 2)."""
    return And(s.free(r, t), Not(s.known(r, t)))


def quorum_knows(r, knows):
    """A Phase 2 quorum of round r knows that the slot is persisted (scenario 3)."""
    def one(q: Quorum):
        return And(is_phase2(r, q), all_of(q, knows))
    return exists(one)


part.mutant("R21", "a leader collects when one slot is persisted and told", "collections_are_licensed")
part.mutant("R22", "one acceptor that was told counts for all", "collections_are_licensed")
part.mutant("R23", "a leader takes slots that it knows to be persisted for free, and tells nobody",
            "collections_are_licensed")
part.mutant("R30j", "a leader collects right after a switch", "collections_are_licensed")
part.mutant("R30k", "a leader collects when slots are chosen, if only in the round before the switch",
            "collections_are_licensed")
part.mutant("R30l", "a switch does not move the start of the free slots", "collections_are_licensed")
part.mutant("R30m", "after a switch a leader collects without telling the new acceptors",
            "collections_are_licensed")
part.mutant("R30n", "after a switch a leader tells the acceptors before the switch what is persisted",
            "collections_are_licensed")


@part.action("matchmaker::leader::garbage::Leader::advance_garbage, resend_garbage_a")
def advance_garbage(step, j: Round, i: Round, u: Slot):
    """A leader sends GarbageA(j) when each slot is chosen in j, unused below j, or persisted and known to be
    so by a Phase 2 quorum of j. (i and u matter to bugs only.)"""
    s = step.before

    def one_knows(t):
        def one(q: Quorum):
            return And(is_phase2(j, q), some_of(q, lambda n: s.told(n, t)))
        return exists(one)

    def is_licensed(t):
        unused = s.free(j, t) if step.has_bug("R23") else is_unused(s, j, t)
        told = one_knows(t) if step.has_bug("R22") else quorum_knows(j, lambda n: s.told(n, t))
        return Or(unused, told, has_votes(s, j, t), wrongly(t))

    def wrongly(t):
        adjacent = And(is_adjacent(i, j), s.entered(j, t))
        bugs = {
            "R30j": s.entered(j, t),
            "R30k": And(adjacent, has_votes(s, i, t)),
            "R30l": And(adjacent, is_unused(s, i, t)),
            "R30m": And(s.entered(j, t), is_persisted(s, t)),
            "R30n": And(adjacent, quorum_knows(i, lambda n: s.told(n, t))),
        }
        on = [formula for bug, formula in bugs.items() if step.has_bug(bug)]
        return Or(False, *on)

    def each(t: Slot):
        return is_licensed(t)
    step.require("matchmaking of the round is complete", And(j != ZERO, s.matched(j)))
    step.require("it was not sent before", Not(s.garbage(j)))
    step.require("each slot is licensed", is_licensed(u) if step.has_bug("R21") else forall(each))
    step.add("garbage", j)
    step.add_where("told_at_collection", lambda r, n, t: And(r == j, s.told(n, t)))


