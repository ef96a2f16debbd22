"""One file for each controller: reconcile(snapshot, now) gives a plan; the loop writes."""
