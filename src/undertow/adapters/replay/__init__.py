"""Turns real outcomes into routed logs with a scripted arrival: public benchmark tables, and the repository's own recording."""
