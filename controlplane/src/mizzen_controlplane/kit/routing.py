"""How a route is declared: never without saying who may call, and with Idempotency-Key on every POST."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from mizzen_controlplane.kit.auth import PUBLIC_PATHS, Allow, Public
from mizzen_controlplane.kit.idempotency import answer_once

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class UnguardedRouteError(Exception):
    """A route was declared that anyone could call."""


class GuardedRoute(APIRoute):
    """A route that names a permission, or is on the list of public ones."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        guards = {type(call) for call in _calls(self.dependant)}
        if Allow in guards or (Public in guards and path in PUBLIC_PATHS):
            return
        raise UnguardedRouteError(
            f"{path}: no parameter says who may call. Add `subject: Admin`, or Depends(Allow(Permission...))."
        )

    def get_route_handler(self) -> Handler:
        """The handler, with Idempotency-Key honoured on POST."""
        handler = super().get_route_handler()

        async def once(request: Request) -> Response:
            return await answer_once(request, handler)

        return once if self.methods and "POST" in self.methods else handler


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


def api_router(tag: str) -> APIRouter:
    """A router for one domain; routes carry their whole path."""
    return APIRouter(route_class=GuardedRoute, tags=[tag])
