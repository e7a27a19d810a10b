"""The ServingRuntimes that Mizzen brings along, and the choice of one for a deployment."""
