"""Judges: a model behind an OpenAI-compatible address, or a function of the user's; and what is kept of their work."""
