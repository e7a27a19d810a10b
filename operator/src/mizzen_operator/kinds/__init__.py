"""One folder for each kind of custom resource: from the object to the manifests of its children."""
