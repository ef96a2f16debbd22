"""The facts of Kubernetes: kinds, names, defaults, validation, labels, manifests with positions."""
