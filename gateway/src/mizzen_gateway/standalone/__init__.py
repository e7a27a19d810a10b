"""The gateway alone: one file says what it serves, to whom, and within which limits; no control plane is needed."""
