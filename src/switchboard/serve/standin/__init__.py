"""Stand-in pods: the program that answers in every pod of the embedded cluster."""
