"""One file for each Ingress annotation, found by its name."""
