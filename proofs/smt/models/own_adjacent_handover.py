"""Model d': the log with the own-adjacent rule, all three scenarios of collection, and matchmakers that are
replaced."""
from . import generations, log, rounds, stories
from . import generations_invariant, log_collection, log_invariant  # noqa: F401, declare the rest

PARTS = [rounds.part, generations.part, log.part]

RUNS = stories.LOG_HANDOVER_RUNS
