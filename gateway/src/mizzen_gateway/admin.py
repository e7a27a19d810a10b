"""The port for those who run the gateway: is it alive, is it ready, what does it measure."""

import asyncio
from collections.abc import Callable
from functools import cache
from importlib.metadata import version

import orjson

from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder

TEXT = (("content-type", "text/plain; charset=utf-8"),)
JSON = (("content-type", "application/json"),)
METRICS = (("content-type", "text/plain; version=0.0.4; charset=utf-8"),)


@cache
def description() -> bytes:
    """The OpenAPI document of the callers' port."""
    from mizzen_gateway.describing.document import document  # here: few gateways are ever asked

    return orjson.dumps(document(version("mizzen-gateway")), option=orjson.OPT_INDENT_2)


class AdminPages:
    """A `Handler` of the wire."""

    def __init__(self, why_not_ready: Callable[[], str | None], metrics: Callable[[], bytes]) -> None:
        """`why_not_ready` is None when the gateway may get requests."""
        self._why_not_ready = why_not_ready
        self._metrics = metrics

    def vet(self, request: Request, transport: asyncio.BaseTransport) -> None:
        """Nothing here needs a key: the port is not for callers."""

    async def handle(self, request: Request, responder: Responder) -> None:
        """Answer."""
        if request.refusal is not None:
            self.refuse(request, responder, request.refusal)
        elif request.method not in {b"GET", b"HEAD"}:
            responder.send(405, (*TEXT, ("allow", "GET, HEAD")), b"Method: this port takes GET and HEAD only.\n")
        elif request.path == b"/healthz":
            responder.send(200, TEXT, b"ok\n")
        elif request.path == b"/readyz":
            why = self._why_not_ready()
            responder.send(200 if why is None else 503, TEXT, (why or "ok").encode() + b"\n")
        elif request.path == b"/metrics":
            responder.send(200, METRICS, self._metrics())
        elif request.path == b"/openapi.json":
            responder.send(200, JSON, description())
        else:
            responder.send(404, TEXT, b"Path: this port has /healthz, /readyz, /metrics and /openapi.json.\n")

    def refuse(self, _request: Request, responder: Responder, refusal: Refusal) -> None:
        """Say no; whatever is sent here is sent whole."""
        if not responder.started:
            responder.send(refusal.status, TEXT, refusal.message.encode() + b"\n")
