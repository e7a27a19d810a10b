"""Which handler hears of which kind? kopf decorators alone: each makes one call."""

from typing import Any, Protocol

import kopf
from mizzen_crds.v1alpha1 import GROUP, VERSION

Manifest = dict[str, Any]


class Listener(Protocol):
    """Whoever wants to know of what people write; `gone` says that the object was deleted."""

    def deployment(self, manifest: Manifest, gone: bool) -> None:
        """A ModelDeployment."""

    def runtime(self, manifest: Manifest, gone: bool) -> None:
        """A ServingRuntime."""


def handlers_for(listener: Listener, sign_in: Any) -> kopf.OperatorRegistry:
    """Return handlers that tell the listener; `sign_in` returns kopf's way to the API server."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        session: kopf.AiohttpSession = sign_in()
        return session

    @kopf.on.event(GROUP, VERSION, "modeldeployments", registry=registry)
    async def deployment(event: Any, **_: Any) -> None:
        listener.deployment(event["object"], event["type"] == "DELETED")

    @kopf.on.event(GROUP, VERSION, "servingruntimes", registry=registry)
    async def runtime(event: Any, **_: Any) -> None:
        listener.runtime(event["object"], event["type"] == "DELETED")

    return registry
