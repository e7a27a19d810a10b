"""Mizzen on one machine: a supervisor, three programs, and pods as processes."""
