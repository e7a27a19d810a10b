"""Several gateway processes on one port, and the one that starts, watches and replaces them."""
