"""Signing in at an OpenID provider, and tokens that it gave to programs."""
