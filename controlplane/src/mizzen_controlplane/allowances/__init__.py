"""What applies to a caller now, and what a proposal would have refused: asked of the same facts as gateways go by."""
