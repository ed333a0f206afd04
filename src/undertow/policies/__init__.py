"""Policies: who gets which tier. Each is a state machine without I/O that yields commands and is told what came of them."""
