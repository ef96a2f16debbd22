"""One file for each verb, found by its name."""
