"""Who answers for files and batches where there is no control plane to keep them? Nobody, and says so."""

from mizzen_gateway.protocols.surface import Route
from mizzen_gateway.stages import Caller, Refusal
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder

NOT_OFFERED = Refusal(
    403,
    "not_offered",
    "Path: files and batches are kept by a control plane, and this gateway runs without one; send the requests one by"
    " one.",
)


class NothingKept:
    """A `Desk` of the pipeline."""

    async def answer(self, _route: Route, _caller: Caller, _request: Request, _responder: Responder) -> Refusal | None:
        """Say no."""
        return NOT_OFFERED
