"""Pages and JSON over the same reports as the command line."""
