"""Model c: single-decree Matchmaker Paxos whose matchmakers are replaced, with collection and retirement."""
from . import acceptors, decree, generations, rounds, stories
from . import generations_invariant  # noqa: F401, declares the conjuncts

from .collecting import part as collecting

PARTS = [rounds.part, generations.part, acceptors.part, decree.part, collecting]

RUNS, HARM = stories.HANDOVER_RUNS, stories.HANDOVER_HARM
