"""What is said to an endpoint picker, and what it says: the few fields that are used of Envoy's ext_proc messages.

`envoy.service.ext_proc.v3` by its official names and numbers, which stand beside each use; the protocol is 004 of the
Gateway API Inference Extension. Messages of `xds-protos` are told alike by a test.
"""

from collections.abc import Iterable, Iterator, Sequence

from mizzen_gateway.picking.decisions import Picked, TurnedAway
from mizzen_gateway.protocols.open_inference.grpc.fields import (
    fields,
    message_of,
    number_of,
    of_bytes,
    of_number,
    of_text,
    text,
)

DESTINATION = "x-gateway-destination-endpoint"
SUBSET = "x-gateway-destination-endpoint-subset"
SUBSET_NAMESPACE = "envoy.lb.subset_hint"
METADATA_NAMESPACE = "envoy.lb"


def request_headers(headers: Iterable[tuple[str, str]], subset: Sequence[str]) -> bytes:
    """A ProcessingRequest: the request's headers, and the endpoints to choose from."""
    listed = b"".join(
        of_bytes(1, of_text(1, name) + of_bytes(3, value.encode("latin-1")))  # HeaderMap.headers: key, raw_value
        for name, value in headers
    )
    values = b"".join(of_bytes(1, of_text(3, one)) for one in subset)  # ListValue.values: Value.string_value
    hint = _entry(SUBSET, of_bytes(6, values))  # Struct.fields: Value.list_value
    metadata = of_bytes(1, of_text(1, SUBSET_NAMESPACE) + of_bytes(2, hint))  # Metadata.filter_metadata
    return of_bytes(2, of_bytes(1, listed)) + of_bytes(8, metadata)  # request_headers.headers, metadata_context


def request_body(body: bytes) -> bytes:
    """A ProcessingRequest: the whole body."""
    return of_bytes(4, of_bytes(1, body) + of_number(2, 1))  # request_body: body, end_of_stream


def read_response(message: bytes) -> Picked | TurnedAway | None:
    """What a ProcessingResponse decides; None where it says nothing of endpoints."""
    found: Picked | None = None
    for number, _, value in fields(memoryview(message)):
        if number == 7:  # immediate_response: status.code
            return TurnedAway(_status(message_of(value)))
        if number in {1, 3}:  # request_headers, request_body: response.header_mutation
            found = found or _picked(_mutations(message_of(value)))
        elif number == 8:  # dynamic_metadata
            found = found or _picked(_metadata(message_of(value)))
    return found


def _picked(values: Iterator[str]) -> Picked | None:
    listed = next(values, "")
    endpoints = tuple(one.strip() for one in listed.split(",") if one.strip())
    return Picked(endpoints) if endpoints else None


def _status(response: memoryview) -> int:
    for number, _, value in fields(response):
        if number == 1:  # HttpStatus.code
            return next((number_of(code) for place, _, code in fields(message_of(value)) if place == 1), 503)
    return 503


def _within(message: memoryview, *path: int) -> Iterator[memoryview]:
    """Every message at a path of field numbers."""
    if not path:
        yield message
        return
    for number, _, value in fields(message):
        if number == path[0]:
            yield from _within(message_of(value), *path[1:])


def _mutations(response: memoryview) -> Iterator[str]:
    """Values that the destination's header is set to."""
    for header in _within(response, 1, 2, 1, 1):  # response.header_mutation.set_headers.header
        parts = {number: text(value) for number, _, value in fields(header)}
        if parts.get(1, "").lower() == DESTINATION:
            yield parts.get(3) or parts.get(2, "")


def _metadata(struct: memoryview) -> Iterator[str]:
    """Values of the destination in the metadata's namespace."""
    for namespace, inner in _struct(struct):
        if namespace == METADATA_NAMESPACE:
            for held in _within(inner, 5):  # Value.struct_value
                for name, value in _struct(held):
                    if name == DESTINATION:
                        yield from (text(one) for number, _, one in fields(value) if number == 3)  # string_value


def _struct(struct: memoryview) -> Iterator[tuple[str, memoryview]]:
    for entry in _within(struct, 1):  # Struct.fields
        parts = {number: value for number, _, value in fields(entry)}
        if 1 in parts and 2 in parts:
            yield text(parts[1]), message_of(parts[2])


def _entry(name: str, value: bytes) -> bytes:
    return of_bytes(1, of_text(1, name) + of_bytes(2, value))
