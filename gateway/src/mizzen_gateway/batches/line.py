"""What becomes of one line of a batch? It is asked as any request is, and its answer is a line of a file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson
import structlog
from mizzen_crds.kept_batches import BatchLine, LineResult

from mizzen_gateway.overload.priority import HEADER
from mizzen_gateway.protocols.depth import too_deep_field, why_too_deep
from mizzen_gateway.protocols.open_inference.grpc.held import LINE_BYTES, HeldResponder
from mizzen_gateway.protocols.openai.errors import error_object, invalid, upstream_error
from mizzen_gateway.stages import Caller, Refusal
from mizzen_gateway.trace_context import OfBatch
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder

MOST_TRIES = 3
"""Of a line whose model failed."""
SHORTEST_WAIT, LONGEST_WAIT = 0.2, 60.0
LINE_ENDS = b"\r\n"
HEADERS: Mapping[bytes, bytes] = {b"content-type": b"application/json", HEADER: b"batch"}
"""Under overload lines give way first."""
log = structlog.get_logger(__name__)


class BatchTrace(Protocol):
    """The run that sends lines, for whoever follows them."""

    def line(self, line_id: str) -> OfBatch:
        """For the trace of a line."""
        ...


class Pipeline(Protocol):
    """Where lines go."""

    async def run_line(self, request: Request, responder: Responder, of_batch: OfBatch | None) -> Refusal | None:
        """Answer a request that came over no connection; the refusal where it is not answered."""
        ...


@dataclass(frozen=True, slots=True)
class Later:
    """The line could not be sent now: a limit, or nothing is ready."""

    seconds: float


class Line:
    """One line; it may be tried several times."""

    def __init__(self, batch_id: str, line: BatchLine) -> None:
        document: dict[str, Any] = orjson.loads(line.text)
        self.number = line.number
        self.model = str(document["body"]["model"])
        self._custom_id = document["custom_id"]
        self._id = f"{batch_id}_{line.number}"
        self._url = str(document["url"]).encode()
        deep = too_deep_field(document["body"], line.text.encode())
        self._deep = None if deep is None else invalid(deep[:100], why_too_deep(deep[:100]))
        self._body = b"" if self._deep else orjson.dumps(document["body"])
        self._failures = 0

    async def ask(self, pipeline: Pipeline, caller: Caller, trace: BatchTrace | None) -> LineResult | Later:
        """Its result, or when to try again; `trace` where spans are wanted."""
        if self._deep is not None:
            return self._result(400, "", orjson.dumps({"error": error_object(self._deep)}))
        request = Request(
            b"POST",
            self._url,
            self._url,
            dict(HEADERS),
            True,
            True,
            body=self._body,
            caller=replace(caller, batch=True),
        )
        responder = HeldResponder(LINE_BYTES)
        try:
            refusal = await pipeline.run_line(request, responder, None if trace is None else trace.line(self._id))
        except Exception:  # outermost guard of one line: whatever went wrong, it has a result
            log.exception("an error of the gateway's own ended a line of a batch", line=self._id)
            refusal = Refusal(500, "internal_error", "The gateway failed at this request.")
        if refusal is None and not responder.body:
            refusal = upstream_error(self.model)
        if refusal is None:
            sent = dict(responder.headers).get("x-request-id", "")
            return self._result(200, sent, responder.body)
        return self._again(refusal) or self._result(refusal.status, "", orjson.dumps({"error": error_object(refusal)}))

    def _again(self, refusal: Refusal) -> Later | None:
        """When a refused line is tried again; None where that would not help."""
        headers = dict(refusal.headers)
        if headers.get("x-should-retry") == "false":
            return None
        if refusal.status in {502, 504}:
            self._failures += 1
            return Later(SHORTEST_WAIT) if self._failures < MOST_TRIES else None
        if refusal.status not in {429, 503}:
            return None
        after = headers.get("retry-after", "1")
        return Later(min(max(float(after) if after.isdigit() else 1.0, SHORTEST_WAIT), LONGEST_WAIT))

    def _result(self, status: int, request_id: str, body: bytes) -> LineResult:
        body = body.translate(None, LINE_ENDS)  # an engine may write several lines; within a text they are escaped
        text = orjson.dumps(
            {
                "id": self._id,
                "custom_id": self._custom_id,
                "response": {"status_code": status, "request_id": request_id, "body": orjson.Fragment(body)},
                "error": None,
            }
        )
        return LineResult(number=self.number, good=status == 200, text=text.decode())
