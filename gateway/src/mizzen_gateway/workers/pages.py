"""The admin port of a supervisor: is anyone alive, is anyone ready, what do all workers measure together."""

from mizzen_gateway.admin import METRICS, TEXT, AdminPages
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder
from mizzen_gateway.workers.supervisor import Supervisor


class SupervisorPages(AdminPages):
    """A `Handler` of the wire: like a worker's own, asked of the workers."""

    def __init__(self, supervisor: Supervisor) -> None:
        super().__init__(lambda: None, lambda: b"")
        self._supervisor = supervisor

    async def handle(self, request: Request, responder: Responder) -> None:
        """Answer."""
        reads = request.refusal is None and request.method in {b"GET", b"HEAD"}
        if reads and request.path == b"/readyz":
            why = await self._supervisor.why_not_ready()
            responder.send(200 if why is None else 503, TEXT, (why or "ok").encode() + b"\n")
        elif reads and request.path == b"/metrics":
            responder.send(200, METRICS, await self._supervisor.metrics())
        else:
            await super().handle(request, responder)
