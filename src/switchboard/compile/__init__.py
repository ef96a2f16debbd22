"""Compilers: one function each from the view to rules and findings."""
