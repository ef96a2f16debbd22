"""One evaluator for each rule language: what the rules of a node, read as text, do with a packet."""
