"""A receiver of OTLP over HTTP, of the official messages: keeps the spans that it gets, and fails as a test says."""

import asyncio
import base64
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trustme
from aiohttp import web
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from support.until import until


@dataclass
class ReceivedSpan:
    """One span, readable."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    kind: int
    failed: bool
    started_ns: int
    ended_ns: int
    attributes: dict[str, Any]
    resource: dict[str, Any]
    links: list[tuple[str, str]]
    """Of other spans, their trace and they."""


@dataclass
class SpanCollector:
    """What it was sent."""

    url: str = ""
    spans: list[ReceivedSpan] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of each request."""
    raw: list[bytes] = field(default_factory=list)
    """Bodies, unpacked."""
    statuses: list[int] = field(default_factory=list)
    """How the next requests are answered; then with 200."""
    reject: int = 0
    """Spans that each answer says were not taken."""

    async def receive(self, request: web.Request) -> web.Response:
        """One request."""
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        status = self.statuses.pop(0) if self.statuses else 200
        if status != 200:
            return web.Response(status=status)
        body = await request.read()
        self.raw.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        in_json = request.content_type == "application/json"
        self.spans += spans_in(
            read_json(self.raw[-1]) if in_json else ExportTraceServiceRequest.FromString(self.raw[-1])
        )
        if in_json:
            return web.json_response({})
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = self.reject
        return web.Response(body=answer.SerializeToString(), content_type="application/x-protobuf")

    async def until(self, found: Callable[[list[ReceivedSpan]], bool]) -> list[ReceivedSpan]:
        """The spans, once they are as wanted."""
        await until(lambda: found(self.spans))
        return self.spans


def read_json(body: bytes) -> ExportTraceServiceRequest:
    """A request in OTLP's JSON, whose ids are hexadecimal where those of Protobuf's JSON are base64."""
    document = json.loads(body)
    for of in document["resourceSpans"]:
        for scope in of["scopeSpans"]:
            for span in scope["spans"]:
                for one in (span, *span.get("links", ())):
                    for name in ("traceId", "spanId", "parentSpanId"):
                        if name in one:
                            one[name] = base64.b64encode(bytes.fromhex(one[name])).decode()
    return json_format.ParseDict(document, ExportTraceServiceRequest(), ignore_unknown_fields=True)


def spans_in(message: ExportTraceServiceRequest) -> list[ReceivedSpan]:
    """The spans of a request."""
    return [
        ReceivedSpan(
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.trace_state,
            span.kind,
            span.status.code == 2,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            _plain(span.attributes),
            _plain(of.resource.attributes),
            [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        )
        for of in message.resource_spans
        for scope in of.scope_spans
        for span in scope.spans
    ]


def _plain(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@asynccontextmanager
async def span_collector(authority: trustme.CA | None = None) -> AsyncIterator[SpanCollector]:
    """Listens on this machine; over TLS with a certificate of `authority`."""
    tls = None
    if authority is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
    collector = SpanCollector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = site._server.sockets[0].getsockname()[:2]  # type: ignore[union-attr]  # aiohttp has no other way
    collector.url = f"{'http' if tls is None else 'https'}://{host}:{port}/v1/traces"
    try:
        yield collector
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
