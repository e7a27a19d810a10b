"""Which line of the access log does a request have? It begins when the request does, and is over when that is."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from mizzen_gateway.auth.api_key import shown_key
from mizzen_gateway.protocols import surface
from mizzen_gateway.settling import LEFT_WHILE_PARKED
from mizzen_gateway.stages import Refusal
from mizzen_gateway.telemetry.access_log import AccessLog
from mizzen_gateway.wire.request import Request

Done = TypeVar("Done")


async def logged(lines: AccessLog, request: Request, answering: Coroutine[Any, Any, Done], template: str = "") -> Done:
    """The same, with a line of the access log, which is over when it is, or when the caller leaves."""
    if not template:
        route = surface.find(request.method, request.path)
        template = "unparsed" if isinstance(route, Refusal) else route.template
    line = request.line = lines.begin(template, request.caller)
    if request.caller is None:
        line.key = shown_key(request.headers)
    try:
        return await answering
    except asyncio.CancelledError:
        line.over(LEFT_WHILE_PARKED)
        raise
