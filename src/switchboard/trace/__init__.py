"""The path of a request over the view, and of a packet over rule text."""
