"""Stages 6 and 8: what was used, kept until the ledger has it."""
