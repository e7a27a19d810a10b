"""How does a record lie in the spool? Framed, so that a tail torn by a crash or a full disk is recognised.

A frame: length of the payload and CRC-32 of kind and payload (two little-endian 32-bit numbers), one byte of kind,
the payload. The payload is a `UsageEvent` as JSON: of an intent, the row that is booked if nothing else is ever heard
of the request. The checksum starts from a number of its own, so that zeros, as a power cut leaves them, are no
record.
"""

import zlib
from collections.abc import Iterator
from struct import Struct

from mizzen_gateway.record import record

INTENT = 0x69
"""A request was admitted; its settle record follows."""
SETTLE = 0x73
"""A request ended; this is its row."""
ANSWER = 0x61
"""A request is about to be answered whole; this is its row. There is no intent before it and no settle record after it:
whatever follows in the spool was written when the answer had left."""
LEFT = 0x6C
"""The answer before it has left; without a payload. Written where nothing else came for a while."""
ROWS = frozenset({SETTLE, ANSWER})
PAYLOAD_LIMIT = 1 << 20
"""Bytes of one payload; a longer one is damage."""

_HEADER = Struct("<IIB")
_CHECKSUM_START = 0x6D7A6E00


@record
class Frame:
    """One record as read back."""

    kind: int
    payload: bytes
    end: int
    """Offset in the file of the first byte after it."""


def frame(kind: int, payload: bytes) -> bytes:
    """The bytes of one record."""
    return _HEADER.pack(len(payload), zlib.crc32(payload, _CHECKSUM_START | kind), kind) + payload


def frames(data: bytes, start: int = 0) -> Iterator[Frame]:
    """Whole records from an offset on; ends at the end, or before the first that is torn."""
    position = start
    size = len(data)
    while position + _HEADER.size <= size:
        length, checksum, kind = _HEADER.unpack_from(data, position)
        begin = position + _HEADER.size
        end = begin + length
        if length > PAYLOAD_LIMIT or end > size:
            return
        payload = data[begin:end]
        if zlib.crc32(payload, _CHECKSUM_START | kind) != checksum:
            return
        yield Frame(kind, payload, end)
        position = end
