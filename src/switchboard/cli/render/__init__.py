"""Facts as pictures and tables for people, on a terminal and through a pipe."""
