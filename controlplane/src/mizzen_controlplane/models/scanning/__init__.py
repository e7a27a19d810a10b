"""What may be dangerous in a version's files: read in a process of its own, with the standard library alone."""
