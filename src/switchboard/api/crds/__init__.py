"""CustomResourceDefinitions: from a definition to a served kind, as pure functions."""
