"""Neutral facts between Kubernetes and everything else; build/ is the only translator."""
