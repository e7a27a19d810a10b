"""Whether an artifact is what its format says, whether it carries code, and what a caller sees of it."""
