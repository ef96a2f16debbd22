"""The release machine and its statistics."""
