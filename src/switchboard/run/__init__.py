"""Composition root: processes, privileges, wiring, shutdown."""
