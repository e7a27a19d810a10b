"""How do spans look on the wire? OTLP's own messages, from the official package; loaded where spans are exported."""

from collections.abc import Iterable, Mapping

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # its types are no package of its own
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from mizzen_gateway.tracing.span import Attributes, Kind, Span

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
"""Version of the semantic conventions that names of attributes are from."""
SCOPE = "mizzen_gateway"
FAILED = Status(code=Status.STATUS_CODE_ERROR)
HAS_IS_REMOTE, IS_REMOTE = 0x100, 0x200
"""Flags of a span: whether the parent is another program's."""


class Batch:
    """Spans on their way into one request."""

    def __init__(self, resource: Mapping[str, str], version: str) -> None:
        self._message = ExportTraceServiceRequest()
        of: ResourceSpans = self._message.resource_spans.add(schema_url=SCHEMA)
        of.resource.attributes.extend(pairs(dict(resource)))
        self._into: ScopeSpans = of.scope_spans.add(schema_url=SCHEMA)
        self._into.scope.name, self._into.scope.version = SCOPE, version

    def add(self, spans: Iterable[Span]) -> None:
        """More of them."""
        self._into.spans.extend(message_of(span) for span in spans)

    def encoded(self) -> bytes:
        """The body of a request."""
        return bytes(self._message.SerializeToString())


def message_of(span: Span) -> SpanMessage:
    """One span."""
    return SpanMessage(
        trace_id=span.trace_id.to_bytes(16, "big"),
        span_id=span.span_id.to_bytes(8, "big"),
        parent_span_id=span.parent_id.to_bytes(8, "big") if span.parent_id else b"",
        flags=span.flags | HAS_IS_REMOTE | (IS_REMOTE if span.kind is Kind.SERVER else 0),
        trace_state=span.state,
        name=span.name,
        kind=SpanMessage.SpanKind.ValueType(span.kind),
        start_time_unix_nano=span.started_ns,
        end_time_unix_nano=span.ended_ns,
        attributes=pairs(span.attributes),
        status=FAILED if span.failed else None,
        links=[
            SpanMessage.Link(trace_id=trace.to_bytes(16, "big"), span_id=of.to_bytes(8, "big"))
            for trace, of in span.links
        ],
    )


def pairs(attributes: Attributes) -> list[KeyValue]:
    """Attributes as messages."""
    return [KeyValue(key=name, value=_value(value)) for name, value in attributes.items()]


def _value(value: str | int | float | bool) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(double_value=value)


def rejected_in(body: bytes) -> int:
    """Spans that a collector says it has not taken, though it took the request. 0 where it says nothing."""
    try:
        return int(ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans)
    except DecodeError:
        return 0
