"""When a leader of one decree may have lower configurations collected (`matchmaker/src/single.rs`)."""
from z3 import And, Or

from checker.logic import Part

from .rounds import ZERO, Quorum, Round, Value, all_of, is_phase2, some_of

part = Part("collecting")


def has_votes(s, i, v, q, bug):
    """A Phase 2 quorum has voted for v in round i."""
    if bug:
        return some_of(q, lambda n: s.voted(n, i, v))
    return And(is_phase2(i, q), all_of(q, lambda n: s.voted(n, i, v)))


part.mutant("R18", "configurations are collected once something is proposed", "collections_are_licensed")
part.mutant("R19", "a leader collects after one vote", "collections_are_licensed")


@part.action("matchmaker::single::SingleProposer::on_phase2b, finish_phase1")
def start_collecting(step, i: Round, v: Value, q: Quorum):
    """A leader sends GarbageA: a Phase 2 quorum has voted in its round, or Phase 1 met no vote."""
    s = step.before
    step.require("matchmaking of the round is complete", And(i != ZERO, s.matched(i)))
    licence = Or(has_votes(s, i, v, q, step.has_bug("R19")), s.unvoted(i))
    step.require("a licence", s.proposed(i, v) if step.has_bug("R18") else licence)
    step.add("garbage", i)
