"""Routes of limits."""

from mizzen_controlplane.kit.routing import api_router

router = api_router("limits")
