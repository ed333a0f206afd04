"""Undertow inside another process: the in-process client, the ASGI middleware and the LiteLLM callback."""
