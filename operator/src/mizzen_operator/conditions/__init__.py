"""What the status says: one function for each condition, all of them set on every pass."""
