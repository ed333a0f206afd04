"""Use cases: load, call the core, hand on. One a file."""
