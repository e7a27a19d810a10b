"""Budgets and the credit that gateways lease from them."""
