"""Files that callers keep, and the batches that are made of them."""
