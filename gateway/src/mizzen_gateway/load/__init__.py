"""What the gateway tells the operator: load by revision."""
