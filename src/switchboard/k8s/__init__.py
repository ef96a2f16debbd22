"""The facts of Kubernetes: kinds, names, defaults, validation, well-known labels, manifests with positions."""
