"""Runs on small universes: that the interesting situations are reached, and the harm that bugs do.

`RUNS` of a model must be found; so must `HARM`, each run with its bug put in. All of them end in a state
that the proof, or its failure, speaks of.
"""
from checker.logic import And, Not, exists, forall
from checker.runs import Run

from .dependencies import Node, Proposal, Vertex, conflicts, is_noop, is_of
from .generations import FOUNDING, Epoch
from .log import Slot, is_adjacent
from .registry import Matchmaker, is_older
from .rounds import ZERO, Round, Value, below

DECREE = (("Round", 4), ("Acceptor", 3), ("Quorum", 3), ("Matchmaker", 3), ("Majority", 3))
LOG = (("Round", 5), ("Acceptor", 3), ("Quorum", 3), ("Matchmaker", 1), ("Majority", 1), ("Slot", 1),
       ("Archive", 1), ("ArchiveMajority", 1))
SLOTS = (*LOG[:5], ("Slot", 2), *LOG[6:])
EPOCHS = (("Round", 4), ("Acceptor", 2), ("Quorum", 2), ("Matchmaker", 3), ("Majority", 3), ("Epoch", 2))
LOG_EPOCHS = (*LOG, ("Epoch", 2))


def match(i):
    return f"start_matching(i={i}) on_match_a(i={i})*2 finish_matching(i={i}) "


def phase1(i):
    return f"on_phase1a(i={i})*2 finish_phase1(i={i}) "


def phase2(i):
    return f"on_phase2a(i={i})*2 on_phase2b(i={i}) "


def collect(i):
    return f"start_collecting(i={i}) on_garbage_a(i={i})*2 finish_collection(i={i}) "


def is_chosen(s, i):
    def one(v: Value):
        return s.chosen(i, v)
    return exists(one)


def chosen_in_two_rounds(s):
    """Something is chosen in two rounds, with no quorum in common."""
    def both(r: Round, x: Round):
        return And(below(r, x), s.history(x, r), is_chosen(s, r), is_chosen(s, x))
    return exists(both)


def asked_after_collection(s):
    """A round was begun after a collection, has an empty history, and something is chosen in it."""
    def one(r: Round, w: Round):
        def none(x: Round):
            return Not(And(s.history(r, x), below(x, w)))
        return And(w != ZERO, s.begun_after(r, w), s.floor(r, w), is_chosen(s, r), forall(none))
    return exists(one)


def matched_in_the_second_generation(s):
    """A round was handed over, another was matched in the new generation with it in its history."""
    def one(e: Epoch, r: Round, x: Round, m: Matchmaker):
        return And(s.handed(e, r), s.history(x, r), s.registered(m, e, x), is_chosen(s, x), is_chosen(s, r))
    return exists(one)


def answered_again_after_handover(s):
    """A round that was handed over was completed by the new generation."""
    def one(e: Epoch, r: Round, m: Matchmaker):
        return And(s.handed(e, r), s.registered(m, e, r), s.matched(r))
    return exists(one)


TWO = (
    "start_matching(i=1) start_matching(i=2) on_match_a(i=1)*2 on_match_a(i=2)*2 on_match_a(i=1)*2 "
    "finish_matching(i=2) finish_matching(i=1) " + phase1(1) + "finish_phase1(i=1) on_phase2a(i=1) "
    + phase1(2) + phase2(2) + phase2(1)
)
THREE = (
    match(1) + phase1(1) + "on_phase2a(i=1) " + match(2) + phase1(2) + phase2(2) + match(3)
    + "on_phase1a(i=3) " + phase1(3) + phase2(3)
)
TO_THE_END = match(1) + phase1(1) + phase2(1) + match(2) + phase1(2) + phase2(2)

MATCHMAKING_RUNS = {
    "chosen, and again after a reconfiguration": Run(TO_THE_END, DECREE, goal=chosen_in_two_rounds),
}
MATCHMAKING_HARM = {
    name: Run(TWO, DECREE, "agreement") for name in ("R02", "R03", "R73", "R11", "R12x", "R12", "R13")
} | {"R06": Run(THREE, DECREE, "agreement"),
     "R09": Run(match(1) + phase1(1) + phase2(1) + match(2) + match(3) + phase1(3) + phase2(3), DECREE,
                "agreement"),
     "R31": Run(match(1) + phase1(1) + "finish_phase1(i=1) " + phase2(1) + phase2(1), DECREE, "agreement"),
     "R32b": Run(match(1) + match(2), DECREE, "no_older_configuration_above")}

COLLECTED = match(1) + phase1(1) + phase2(1) + match(2) + phase1(2) + phase2(2) + collect(2)
UNSAFE = (
    match(1) + phase1(1) + phase2(1) + match(2) + phase1(2) + "on_phase2a(i=2) start_collecting(i=2) "
    "on_garbage_a(i=2)*2 " + match(3) + phase1(3) + phase2(3)
)
STALE = (
    match(1) + phase1(1) + phase2(1) + match(2) + "start_matching(i=3) " + phase1(2) + phase2(2)
    + "on_match_a(i=3) " + collect(2) + match(4)
)


def void_round_is_left_out(s):
    """Phase 1 of a round that was begun after a collection does without an older configuration than the one
    collected for: it was registered at a minority, by a proposer that had not heard of the newer one."""
    def one(i: Round, w: Round, x: Round, m: Matchmaker):
        shown = And(s.begun_after(i, w), s.showed_round(m, i, x), below(w, x), is_older(x, w))
        return And(shown, s.matched(i), Not(s.history(i, x)))
    return exists(one)


COLLECTION_RUNS = MATCHMAKING_RUNS | {
    "after a collection an older configuration, left at a minority, is not asked":
        Run(STALE, (("Round", 5), *DECREE[1:]), goal=void_round_is_left_out),
    "a configuration is collected, and not asked any more":
        Run(COLLECTED + match(3) + phase1(3) + phase2(3), DECREE, goal=asked_after_collection),
}
COLLECTION_HARM = MATCHMAKING_HARM | {
    name: Run(UNSAFE, DECREE, "agreement") for name in ("R18", "R19", "R20")
} | {
    "R16": Run(COLLECTED + match(3), DECREE, "retirement"),
    "R32c": Run(STALE, (("Round", 5), *DECREE[1:]), "retirement"),
    "R43x": Run(COLLECTED + match(3), DECREE, "retirement"),
}

STOP = "on_stop_a(e=0)*2 install(e=0,f=1) "
HANDED = (
    "start_matching(i=1) start_matching(i=2) on_match_a(e=0,i=1)*2 on_match_a(e=0,i=2)*2 " + STOP
    + "on_match_a*4 on_match_a(i=3) finish_matching(i=1) finish_matching(i=2) " + phase1(1) + phase2(1)
    + phase1(2) + phase2(2)
)
HANDOVER_RUNS = {
    "a generation with a successor that knows what was registered":
        Run(match(1) + phase1(1) + phase2(1) + STOP + match(2) + phase1(2) + phase2(2), EPOCHS,
            goal=matched_in_the_second_generation),
    "a round that was handed over is answered again":
        Run("start_matching(i=1) on_match_a(i=1) " + STOP + "on_match_a(i=1,e=1)*2 finish_matching(i=1)",
            EPOCHS, goal=answered_again_after_handover),
}
HANDOVER_HARM = {
    name: Run(HANDED, EPOCHS, "agreement") for name in ("R33", "R34", "R35", "R36", "R37b", "R38b", "R40")
}


def log_match(i):
    return f"start_matching(i={i}) on_match_a(i={i}) finish_matching(i={i}) "


def log_phase1(i):
    return f"on_phase1a(i={i})*2 finish_phase1(i={i}) adopt(i={i}) "


def log_phase2(i):
    return f"propose(i={i}) on_phase2a(i={i})*2 on_phase2b(i={i}) "


def log_collect(j):
    return f"advance_garbage(j={j}) on_garbage_a(i={j}) "


def first(i):
    """The first round of a leader, with a value chosen in it."""
    return log_match(i) + log_phase1(i) + log_phase2(i)


def chosen_after_switch(s):
    """The value that was chosen in a round was chosen in the adjacent one, without Phase 1 of that."""
    def one(r: Round, x: Round, t: Slot, v: Value):
        return And(is_adjacent(r, x), s.chosen(r, t, v), s.chosen(x, t, v), Not(s.settled(x)), s.garbage(x))
    return exists(one)


def chain_of_two(s):
    """Two switches in a row, each slot proposed in the last round, and all before it collected."""
    def one(r: Round, x: Round, y: Round, t: Slot, u: Slot, v: Value):
        used = And(s.proposed(r, t, v), s.chosen(y, t, v), s.entered(y, u), s.free(y, u), t != u)
        return And(is_adjacent(r, x), is_adjacent(x, y), used, s.garbage(y), Not(s.settled(y)))
    return exists(one)


def taken_over_after_collection(s):
    """A leader with another owner finds what was chosen below it after the first one was collected."""
    def one(r: Round, x: Round, y: Round, t: Slot, v: Value):
        found = And(s.chosen(r, t, v), s.chosen(y, t, v), s.settled(y), s.floor(y, x))
        return And(is_adjacent(r, x), s.garbage(x), below(x, y), found)
    return exists(one)


OTHER = "on_match_a(i=3) finish_matching(i=3) " + log_phase1(3) + log_phase2(3)
SWITCHED = first(1) + log_match(2) + "switch(i=1,j=2) "
TOLD = "on_store on_persisted_a*2 "
AFTER = "start_matching(i=3) " + log_collect(2) + OTHER
OWN_ADJACENT_RUNS = {
    "a switch without Phase 1, and collection by scenario 1":
        Run(SWITCHED + log_phase2(2) + log_collect(2), LOG, goal=chosen_after_switch),
    "another leader after a switch and collection":
        Run(SWITCHED + log_phase2(2) + log_collect(2) + log_match(3) + log_phase1(3) + log_phase2(3), LOG,
            goal=taken_over_after_collection),
    "a chain of two switches with a slot in flight and a free one":
        Run(log_match(1) + log_phase1(1) + "propose(i=1) " + log_match(2) + "switch(i=1,j=2) "
            + log_match(3) + "switch(i=2,j=3) " + log_phase2(3) + log_collect(3), SLOTS, goal=chain_of_two),
}
TAKEN = Run(SWITCHED + TOLD + AFTER, LOG, "agreement")
OWN_ADJACENT_HARM = {
    **{name: TAKEN for name in ("R22", "R30g", "R30j", "R30k", "R30l", "R30m", "R30n")},
    "R30a": Run(SWITCHED + log_phase2(2), LOG, "agreement"),
    "R30b": Run(log_match(1) + log_phase1(1) + log_match(2) + "switch(i=1,j=2) " + log_phase2(2)
                + log_phase2(1), LOG, "agreement"),
    "R30c": Run(first(1) + log_match(2) + log_match(3) + "switch(i=2,j=3) " + log_phase2(3), LOG,
                "agreement"),
    "R30d": Run(log_match(1) + log_phase1(1) + "propose(i=1) " + first(2) + log_match(3)
                + "switch(i=1,j=3) " + log_phase2(3), LOG, "agreement"),
    "R30f": Run(log_match(1) + log_phase1(1) + "switch(i=1,j=2) start_matching(i=2) " + first(3)
                + log_phase2(2), LOG, "agreement"),
    "R30h": Run(first(1) + log_match(2) + TOLD + log_phase1(2) + "switch(i=2,j=3) " + log_collect(2)
                + log_match(3) + log_phase1(3) + log_match(4) + "switch(i=3,j=4) " + log_phase2(4), LOG,
                "agreement"),
    "R30i": Run(log_match(1) + log_phase1(1) + log_match(2) + "switch(i=1,j=2) " + log_collect(2)
                + "propose(i=2) " + log_phase2(1) + "start_matching(i=3) " + OTHER, LOG, "agreement"),
    "R24": Run(log_match(1) + log_phase1(1) + log_phase2(1) + log_match(2) + "switch(i=1,j=2) "
               "start_matching(i=3) on_phase1a(i=3) " + TOLD + log_collect(2) + OTHER, LOG, "agreement"),
    "R27": Run(SWITCHED + TOLD + log_collect(2) + log_match(3) + log_phase1(3) + log_phase2(3), LOG,
               "agreement"),
    "R28": Run(first(1) + first(2), LOG, "agreement"),
    "R29": Run(first(1) + first(2), LOG, "agreement"),
    "R09": Run(first(1) + first(2), LOG, "agreement"),
    "R31": Run(log_match(1) + log_phase1(1) + log_phase2(1) + log_phase2(1), LOG, "agreement"),
    "R23": Run(first(1) + TOLD + log_match(2) + log_phase1(2) + log_collect(2) + log_match(3) + log_phase1(3)
               + log_phase2(3), LOG, "agreement"),
}
STOP_LOG = "on_stop_a(e=0) install(e=0,f=1) "


def switched_over_generations(s):
    """A leader registered its adjacent round with the next generation, and all before it is collected there."""
    def one(r: Round, e: Epoch):
        return And(s.collected(e, r), e != FOUNDING)
    return And(exists(one), chosen_after_switch(s))


LOG_HANDOVER_RUNS = {
    "a switch while the matchmakers are replaced, and collection by the new ones":
        Run(first(1) + "start_matching(i=2) " + STOP_LOG + "on_match_a(i=2) finish_matching(i=2) "
            "switch(i=1,j=2) " + log_phase2(2) + log_collect(2) + "finish_collection(i=2)", LOG_EPOCHS,
            goal=switched_over_generations),
}

DEPENDENCIES = (("Vertex", 2), ("DependencyNode", 3), ("NodeMajority", 3), ("Proposal", 2), ("Epoch", 2))


def computed(v, e):
    return f"on_dependency_request(v={v},e={e})*2 on_dependency_reply(v={v},e={e},p={v}) "


CHOOSE = "on_phase2b(v=0) on_phase2b(v=1) "
FREEZE = "on_freeze(e=0)*2 on_successor(e=0,f=1) "
TOGETHER = (
    "on_dependency_request(v=0,e=0) on_dependency_request(v=1,e=0) on_collect(v=0) on_collect(v=1) "
    "on_dependency_request(v=0,e=0)*2 on_dependency_request(v=1,e=0)*2 "
    "on_dependency_reply(v=0,e=0,p=0) on_dependency_reply(v=1,e=0,p=1) on_recover(p=1) " + CHOOSE
)
ACROSS = (
    "on_dependency_request(v=0,e=0) on_dependency_request(v=1,e=0) " + FREEZE
    + "on_dependency_request(v=0)*2 on_dependency_request(v=1)*2 on_dependency_reply(v=0,p=0) "
    "on_dependency_reply(v=1,p=1) " + CHOOSE
)


def conflict_across_epochs(s):
    """Of two chosen commands that conflict, computed in two epochs, the later depends on the earlier."""
    def one(p: Proposal, x: Proposal, u: Vertex, v: Vertex, c: Node, d: Node, e: Epoch, f: Epoch):
        chosen = And(s.chosen(p), s.chosen(x), is_of(p, u), is_of(x, v), conflicts(u, v), u != v)
        apart = And(s.seen(c, e, u), s.seen(d, f, v), e != f, Not(is_noop(p)), Not(is_noop(x)))
        return And(chosen, apart, s.lists(x, u), Not(s.lists(p, v)))
    return exists(one)


DEPENDENCIES_RUNS = {
    "conflicting commands in two epochs":
        Run(computed(0, 0) + FREEZE + computed(1, 1) + CHOOSE, DEPENDENCIES, goal=conflict_across_epochs),
}
DEPENDENCIES_HARM = {
    name: Run(TOGETHER, DEPENDENCIES, "conflicting_commands_depend")
    for name in ("R44", "R45", "R46", "R47", "R48", "R49")
} | {
    name: Run(ACROSS, DEPENDENCIES, "conflicting_commands_depend")
    for name in ("R33d", "R34d", "R36d", "R40d", "R48b")
}
