"""Model a: single-decree Matchmaker Paxos, a configuration for each round, nothing collected."""
from . import acceptors, decree, registry, rounds, stories

PARTS = [rounds.part, registry.part, acceptors.part, decree.part]

RUNS, HARM = stories.MATCHMAKING_RUNS, stories.MATCHMAKING_HARM
