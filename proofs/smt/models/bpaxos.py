"""Model e: the consensus and dependency invariants of BPaxos, with epochs of the dependency service."""
from . import dependencies, stories

PARTS = [dependencies.part]

RUNS, HARM = stories.DEPENDENCIES_RUNS, stories.DEPENDENCIES_HARM
