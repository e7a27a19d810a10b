"""Deployments as people see them."""
