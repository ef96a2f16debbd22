"""Thin effects at the rim, each beside its fake."""
