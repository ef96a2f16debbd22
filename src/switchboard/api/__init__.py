"""The API server as functions: the object store with resource versions and watches."""
