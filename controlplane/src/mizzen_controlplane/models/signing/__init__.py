"""Signatures of versions: which public keys a project trusts, what they signed, and where a signature is needed."""
