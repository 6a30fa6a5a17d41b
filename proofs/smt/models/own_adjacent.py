"""Model d: the log with the own-adjacent rule and all three scenarios of collection, one generation of
matchmakers."""
from . import collection, log, registry, rounds, stories
from . import log_collection, log_invariant  # noqa: F401, declare actions and conjuncts

PARTS = [rounds.part, registry.part, collection.part, log.part]

RUNS, HARM = stories.OWN_ADJACENT_RUNS, stories.OWN_ADJACENT_HARM
