"""The data plane: the ASGI application, its server, and the supervisor of its workers."""
