"""The models, in the order in which they build on one another."""

MODELS = {
    "synod": "0",
    "matchmaking": "a",
    "collection": "b",
    "handover": "c",
    "own_adjacent": "d",
    "own_adjacent_handover": "d'",
    "bpaxos": "e",
}
