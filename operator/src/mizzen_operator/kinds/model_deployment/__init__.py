"""ModelDeployment: from the object, its runtime and its resolved model to manifests."""
