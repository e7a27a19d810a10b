"""For whom is a service account's token made? Each program takes only tokens with its own audience."""

from typing import Final

CONTROLPLANE: Final = "mizzen-controlplane"
"""From the gateway and the operator."""
OPERATOR: Final = "mizzen-operator"
"""From gateways, for their load."""
REGISTRY: Final = "mizzen-registry"
"""From engine pods: to fetch a version, and to tell the operator how far they are."""
