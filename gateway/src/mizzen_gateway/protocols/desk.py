"""What the pipeline needs of whoever answers for what the control plane keeps for callers."""

from typing import Protocol

from mizzen_gateway.protocols.surface import Route
from mizzen_gateway.stages import Caller, Refusal
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder


class Desk(Protocol):
    """Answers calls whose action is in `surface.KEPT`."""

    async def answer(self, route: Route, caller: Caller, request: Request, responder: Responder) -> Refusal | None:
        """Answer it, or say why not."""
        ...
