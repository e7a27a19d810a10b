"""Quotas of projects: bytes of model content, deployments, and accelerators."""
