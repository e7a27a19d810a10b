"""The one way out: whatever is fetched on someone's word goes through a proxy that resolves, checks and pins."""
