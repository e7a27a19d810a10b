"""Credentials of a project for the hosts that it imports from: sealed, shown to their own host, told to nobody."""
