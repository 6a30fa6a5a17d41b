"""A small checker of inductive invariants."""
