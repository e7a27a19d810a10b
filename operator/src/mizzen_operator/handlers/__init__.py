"""What do people write? kopf watches it; each handler parses a key, makes one call and returns."""
