"""A pod of Kubernetes' shape, as processes: what its manifest says, and what is seen of it."""
