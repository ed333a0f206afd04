"""Writes simulated incidents as canonical stores that `undertow audit` reads."""
