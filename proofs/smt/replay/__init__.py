"""Runs of the simulator, compared with a model that is proved."""
