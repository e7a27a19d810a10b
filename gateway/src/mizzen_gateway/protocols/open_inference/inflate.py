"""Compressed request bodies, opened within the body limit."""

import asyncio
import zlib

from mizzen_gateway.stages import Refusal

GZIP = 31
WINDOWS = {b"gzip": GZIP, b"deflate": 15}
MOST_MEMBERS = 4096
PIECE_BYTES = 64 * 1024
INLINE_BYTES = 64 * 1024
"""Larger ones are opened in a thread, so that other callers do not wait."""


class _TooLargeError(Exception):
    """More than the limit comes out."""


def _inflate(body: bytes, window: int, limit: int) -> bytes:
    opener = zlib.decompressobj(window)
    opened = opener.decompress(body, limit + 1)
    if len(opened) > limit:
        raise _TooLargeError
    if not opener.eof:
        raise zlib.error("incomplete")
    if not opener.unused_data:
        return opened
    if window != GZIP:
        raise zlib.error("more follows")
    return _rest_inflated(opened, memoryview(body)[-len(opener.unused_data) :], limit)


def _rest_inflated(first: bytes, rest: memoryview, limit: int) -> bytes:
    """Further members of gzip's: together they are one body. In pieces, since zlib copies what it does not take."""
    opened, opener, members = bytearray(first), zlib.decompressobj(GZIP), 2
    while rest:
        if opener.eof:
            opener, members = zlib.decompressobj(GZIP), members + 1
            if members > MOST_MEMBERS:
                raise zlib.error("too many members")
        piece = rest[:PIECE_BYTES]
        opened += opener.decompress(piece, limit + 1 - len(opened))
        if len(opened) > limit:
            raise _TooLargeError
        rest = rest[len(piece) - len(opener.unused_data) :]
    if not opener.eof:
        raise zlib.error("incomplete")
    return bytes(opened)


async def inflated(body: bytes, coding: bytes, limit: int) -> bytes | Refusal:
    """The body behind a Content-Encoding."""
    window = WINDOWS.get(coding.strip().lower())
    if window is None:
        return Refusal(415, "unsupported_encoding", "Header Content-Encoding: only gzip and deflate are understood.")
    try:
        if len(body) <= INLINE_BYTES:
            return _inflate(body, window, limit)
        return await asyncio.get_running_loop().run_in_executor(None, _inflate, body, window, limit)
    except _TooLargeError:
        return Refusal(413, "body_too_large", f"Body: larger than the limit of {limit} bytes when opened; send less.")
    except zlib.error:
        message = f"Body: not the {coding.decode('latin-1')} data that Content-Encoding says; send it whole."
        return Refusal(400, "invalid_encoding", message)
