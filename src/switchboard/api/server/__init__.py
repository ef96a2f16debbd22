"""The API server as functions: request facts in, answer facts out; sockets are in ``serve``."""
