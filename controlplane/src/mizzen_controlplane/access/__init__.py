"""The access snapshot that gateways work from."""
