"""Grants: which models of other projects a project may call."""
