"""Invoices, computed from the ledger."""
