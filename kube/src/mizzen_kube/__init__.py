"""How do the programs of Mizzen talk to an API server? With plain dicts, through `Api`, `Reflector` and `Lease`.

The operator, the control plane and the gateway use it. It knows nothing of models: only Kubernetes.
"""
