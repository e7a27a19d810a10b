"""The operator's endpoint: load from gateways, progress from starting pods; each with its own token."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web
from mizzen_crds.serving import GatewayLoad, StartupProgress
from mizzen_crds.wire import Message
from mizzen_kube.errors import ApiError
from pydantic import ValidationError

from mizzen_operator.serve.identities import (
    OPERATOR_AUDIENCE,
    REGISTRY_AUDIENCE,
    Caller,
    Identities,
    UnknownCallerError,
)

MAX_BODY = 1024 * 1024
Body = TypeVar("Body", bound=Message)


@dataclass(frozen=True)
class Reports:
    """Where reports go, and who may send them."""

    identities: Identities
    leading: Callable[[], bool]
    on_load: Callable[[GatewayLoad], None]
    on_progress: Callable[[str, StartupProgress], None]
    """Called with the pod's namespace."""
    gateway_subject: str
    """system:serviceaccount:<namespace>:<name> of the gateways."""

    async def load(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/load`."""
        await self._authorize_gateway(request)
        self._refuse_unless_leading()
        self.on_load(await body_of(request, GatewayLoad))
        return web.Response(status=204)

    async def progress(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/startup-progress`. The token is bound to a pod, which speaks for itself alone."""
        caller = await self._caller(request, REGISTRY_AUDIENCE)
        self._refuse_unless_leading()
        body = await body_of(request, StartupProgress)
        if not caller.pod or caller.pod != body.pod:
            raise web.HTTPForbidden(text=f"the token is bound to pod {caller.pod or 'none'}, not to {body.pod[:253]}")
        self.on_progress(caller.namespace, body)
        return web.Response(status=204)

    async def _authorize_gateway(self, request: web.Request) -> None:
        caller = await self._caller(request, OPERATOR_AUDIENCE)
        if caller.subject != self.gateway_subject:
            raise web.HTTPForbidden(text=f"this route is for {self.gateway_subject}, not for {caller.subject}")

    async def _caller(self, request: web.Request, audience: str) -> Caller:
        try:
            return await self.identities.caller(bearer(request), audience)
        except UnknownCallerError as error:
            raise web.HTTPUnauthorized(text=str(error)) from error
        except ApiError as error:
            raise web.HTTPServiceUnavailable(text=error.message, headers={"Retry-After": "1"}) from error

    def _refuse_unless_leading(self) -> None:
        """Reports count only where passes run; without keep-alive the next try may reach the leader."""
        if not self.leading():
            headers = {"Retry-After": "1", "Connection": "close"}
            raise web.HTTPServiceUnavailable(text="another replica holds the lease", headers=headers)


def report_app(reports: Reports) -> web.Application:
    """What pods and gateways reach."""
    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_post("/v1/load", reports.load)
    app.router.add_post("/v1/startup-progress", reports.progress)
    return app


def bearer(request: web.Request) -> str:
    """The bearer token. Raises 401 where there is none."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.casefold() != "bearer" or not token:
        raise web.HTTPUnauthorized(text="send `Authorization: Bearer <service account token>`")
    return token.strip()


async def body_of(request: web.Request, model: type[Body]) -> Body:
    """Read the body. Raises 400 with what is wrong."""
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
