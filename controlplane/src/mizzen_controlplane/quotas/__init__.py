"""Quotas of projects: bytes of model content, and deployments."""
