"""The operator's endpoint: load from gateways, progress from starting pods; each with its own token."""

import hmac
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web
from mizzen_crds.serving import GatewayLoad, StartupProgress
from mizzen_crds.wire import Message
from pydantic import ValidationError

MAX_BODY = 1024 * 1024
Body = TypeVar("Body", bound=Message)


def endpoint_app(
    gateway_token: str,
    registry_token: str,
    ready: Callable[[], bool],
    on_load: Callable[[GatewayLoad], None],
    on_progress: Callable[[StartupProgress], None],
) -> web.Application:
    """The endpoint as an aiohttp application."""

    async def load(request: web.Request) -> web.StreamResponse:
        authorize(request, gateway_token)
        on_load(await body_of(request, GatewayLoad))
        return web.Response(status=204)

    async def progress(request: web.Request) -> web.StreamResponse:
        authorize(request, registry_token)
        on_progress(await body_of(request, StartupProgress))
        return web.Response(status=204)

    async def health(_: web.Request) -> web.StreamResponse:
        return web.Response(text="ok")

    async def readiness(_: web.Request) -> web.StreamResponse:
        return web.Response(text="ready") if ready() else web.Response(status=503, text="store not followed yet")

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_post("/v1/load", load)
    app.router.add_post("/v1/startup-progress", progress)
    app.router.add_get("/healthz", health)
    app.router.add_get("/readyz", readiness)
    return app


def authorize(request: web.Request, token: str) -> None:
    """Refuse any other token, in constant time."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise web.HTTPUnauthorized(text="this route needs the token of its own program")


async def body_of(request: web.Request, kind: type[Body]) -> Body:
    """The body as a message; 400 where it is none."""
    try:
        return kind.model_validate_json(await request.read())
    except ValidationError as error:
        raise web.HTTPBadRequest(
            text=f"the body is no {kind.__name__}: {error.error_count()} fields are wrong"
        ) from error
