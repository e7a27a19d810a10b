"""Custom resources: DeploymentStore and its routes."""
