"""Undertow: an LLM routing layer that cannot quietly break the product behind it."""

__version__ = "0.1.0"
