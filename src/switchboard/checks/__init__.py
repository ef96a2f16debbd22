"""One file for each check of the production checklist."""
