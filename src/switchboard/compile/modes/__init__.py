"""One file for each proxy mode."""
