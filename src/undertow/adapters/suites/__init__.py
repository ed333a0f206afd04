"""Suites outside the core: their runs on disk, checks by functions of the user's, and vectors of texts."""
