"""How a route is declared: never without saying who may call, and with Idempotency-Key on every POST."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from mizzen_controlplane.kit.auth import PUBLIC_PATHS, Allow, Public
from mizzen_controlplane.kit.idempotency import answer_once
from mizzen_controlplane.kit.request_text import TextRequest, refuse_address_with_nul

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class UnguardedRouteError(Exception):
    """A route was declared that anyone could call."""


class GuardedRoute(APIRoute):
    """A route that names a permission, or is on the list of public ones."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        guards = [call for call in _calls(self.dependant) if isinstance(call, Allow)]
        self.permission = guards[0].permission if guards else None
        """What a caller must hold; None where anyone may call."""
        self._guard = guards[0] if guards else None
        if self.permission is not None:
            self.openapi_extra = {**(self.openapi_extra or {}), "x-mizzen-permission": str(self.permission)}
        public = path in PUBLIC_PATHS and any(isinstance(call, Public) for call in _calls(self.dependant))
        if len(guards) != (0 if public else 1):
            raise UnguardedRouteError(
                f"{path}: {len(guards)} parameters say who may call. Let one: Depends(Allow(Permission...))."
            )

    def get_route_handler(self) -> Handler:
        """The handler, with Idempotency-Key honoured on POST; not without a subject, whom to tell an answer again."""
        handler = super().get_route_handler()
        remembers = self.methods and "POST" in self.methods and self.path not in PUBLIC_PATHS

        async def answer(given: Request) -> Response:
            request = TextRequest(given.scope, given.receive)
            refuse_address_with_nul(request)
            return await (answer_once(request, self._guard, handler) if remembers else handler(request))

        return answer


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


def api_router(tag: str) -> APIRouter:
    """A router for one domain; routes carry their whole path."""
    return APIRouter(route_class=GuardedRoute, tags=[tag])
