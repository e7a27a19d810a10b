"""Where versions are fetched from, each kind of origin in a file."""
