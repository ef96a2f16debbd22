"""One file for each symptom."""
