"""Project: from the object, its neighbours and the cluster to namespaces, quota, isolation and access."""
