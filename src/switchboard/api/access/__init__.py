"""Who asks, and what they may do: identities, RBAC, bootstrap roles, reviews."""
