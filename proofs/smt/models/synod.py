"""Model 0: single-decree Paxos in one configuration (`paxos/src/synod.rs`).

Matchmakers decide with it on their successor. So what the models of handover assume of that decree
(H1: one successor of a generation; H5: one value per round of it) is proved here.
"""
from z3 import And, Not, Or

from checker.logic import Part, implies

from . import acceptors, rounds
from .acceptors import is_highest, is_shown, none_is_shown, nothing_proposed
from .rounds import ZERO, Quorum, Round, Value, all_of, among, below, is_phase1, is_phase2, some_of

part = Part("synod")


@part.axiom
def there_is_one_configuration(r: Round, x: Round, q: Quorum):
    """All rounds have the same quorums."""
    return And(
        implies(is_phase1(r, q), is_phase1(x, q)), implies(is_phase2(r, q), is_phase2(x, q)),
    )


part.mutant("R06", "a proposer adopts some vote, not that of the highest round",
            "lower_rounds_choose_nothing_else")
part.mutant("R42", "a driver that restarts uses the rounds of its decrees again", "one_value_per_round")
part.mutant("R07", "a proposer adopts no vote at all", "lower_rounds_choose_nothing_else")


@part.action("paxos::synod::Synod::on_phase1b, start_phase2")
def start_phase2(step, i: Round, q: Quorum, k: Round, v: Value):
    """With promises of a Phase 1 quorum a proposer proposes the value of the highest vote that they show,
    in round k; or its own, if they show none."""
    s = step.before

    def counts(n):
        return among(n, q)
    step.require("a round that is used", i != ZERO)
    step.require("the round is new: it was durable before it was used", nothing_proposed(s, i),
                 unless="R42")
    step.require("a Phase 1 quorum has promised",
                 And(is_phase1(i, q), all_of(q, lambda n: s.promised(n, i))))
    highest = is_shown(s, i, counts, k, v)
    if not step.has_bug("R06"):
        highest = And(highest, is_highest(s, i, counts, k))
    step.require("the highest vote is adopted", Or(none_is_shown(s, i, counts), highest), unless="R07")
    step.add("proposed", i, v)


@part.conjunct("A2")
def lower_rounds_choose_nothing_else(s, r: Round, v: Value, x: Round, w: Value, q: Quorum):
    """Once v is proposed in a round, no lower round can choose another value w: of each Phase 2 quorum some
    member has left that round without a vote for w."""
    lower = And(s.proposed(r, v), below(x, r), x != ZERO, v != w, is_phase2(x, q))
    return implies(lower, some_of(q, lambda n: And(s.left(n, x), Not(s.voted(n, x, w)))))


PARTS = [rounds.part, acceptors.part, part]

RUNS = {}
