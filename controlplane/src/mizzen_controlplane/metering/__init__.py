"""The ledger of usage and its roll-ups."""
