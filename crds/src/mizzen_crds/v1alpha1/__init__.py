"""The custom resources of `mizzen.dev/v1alpha1`."""

GROUP = "mizzen.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
