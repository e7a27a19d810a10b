"""Protobuf's bytes: the fields of a message, one after the other, and the other way round. No message classes.

Tensors are passed on as slices of what came; a library would copy each of them twice.
"""

import struct
from collections.abc import Iterable, Iterator

Value = int | memoryview | bytes
"""Of a field: a number, bytes as a slice of what came, or those of a fixed one."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10
SHORT = tuple(bytes((value,)) for value in range(0x80))
"""Numbers of one byte."""


class MalformedMessageError(Exception):
    """Bytes that are no message."""


def fields(message: memoryview) -> Iterator[tuple[int, int, Value]]:
    """Number, wire type and value of each field; of fixed ones the bytes. Raises MalformedMessageError."""
    place, end = 0, len(message)
    while place < end:
        tag = message[place]  # one byte is the rule, here and below
        place += 1
        if tag >= 0x80:
            tag, place = varint(message, place - 1)
        kind = tag & 7
        if tag < 8:
            raise MalformedMessageError("field 0")
        if kind == VARINT:
            value, place = varint(message, place)
            yield tag >> 3, kind, value
            continue
        if kind == BYTES:
            if place < end and (size := message[place]) < 0x80:
                place += 1
            else:
                size, place = varint(message, place)
        elif kind == FIXED32:
            size = 4
        elif kind == FIXED64:
            size = 8
        else:
            raise MalformedMessageError(f"wire type {kind}")
        behind = place + size
        if behind > end:
            raise MalformedMessageError("a field is longer than its message")
        held = message[place:behind]
        yield tag >> 3, kind, held if kind == BYTES else bytes(held)
        place = behind


def varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number at a place, and the place behind it."""
    try:
        byte = message[place]
        if byte < 0x80:
            return byte, place + 1
        value, shift = byte & 0x7F, 7
        for at in range(place + 1, place + LONGEST_VARINT):
            byte = message[at]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at + 1
            shift += 7
    except IndexError:
        pass
    raise MalformedMessageError("a number that does not end")


def signed(value: int) -> int:
    """A varint as int64."""
    return value - (1 << 64) if value >= 1 << 63 else value


def text(value: Value) -> str:
    """A field of text. Raises MalformedMessageError."""
    try:
        return str(message_of(value), "utf-8")
    except UnicodeDecodeError as error:
        raise MalformedMessageError("a text is not UTF-8") from error


def message_of(value: Value) -> memoryview:
    """A field of bytes or of a message. Raises MalformedMessageError."""
    if not isinstance(value, memoryview):  # libraries pass over a fixed one: what it says must not count here alone
        raise MalformedMessageError("a number where bytes belong")
    return value


def number_of(value: Value) -> int:
    """A field of a number. Raises MalformedMessageError."""
    if not isinstance(value, int):
        raise MalformedMessageError("bytes where a number belongs")
    return value


def numbers(kind: int, value: Value) -> list[int]:
    """A repeated number, packed or not."""
    if kind == VARINT:
        return [number_of(value)]
    packed, place, found = message_of(value), 0, []
    while place < len(packed):
        one, place = varint(packed, place)
        found.append(one)
    return found


def as_varint(value: int) -> bytes:
    """A number, negative ones as 64 bits."""
    if 0 <= value < 0x80:
        return SHORT[value]
    value &= 0xFFFF_FFFF_FFFF_FFFF
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def of_bytes(number: int, value: bytes) -> bytes:
    """A field of bytes, text or a message."""
    return begin_of_bytes(number, len(value)) + value


def begin_of_bytes(number: int, size: int) -> bytes:
    """What comes before the bytes of such a field."""
    if size < 0x80 and number < 16:
        return SHORT[number << 3 | BYTES] + SHORT[size]
    return as_varint(number << 3 | BYTES) + as_varint(size)


def of_text(number: int, value: str) -> bytes:
    """A field of text; nothing for an empty one."""
    return of_bytes(number, value.encode()) if value else b""


def of_number(number: int, value: int) -> bytes:
    """A field of a number; nothing for 0."""
    return as_varint(number << 3) + as_varint(value) if value else b""


def of_numbers(number: int, values: Iterable[int]) -> bytes:
    """A repeated number, packed."""
    packed = b"".join([as_varint(value) for value in values])
    return of_bytes(number, packed) if packed else b""


def of_double(number: int, value: float) -> bytes:
    """A field of a double."""
    return as_varint(number << 3 | FIXED64) + struct.pack("<d", value)
