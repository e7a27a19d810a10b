"""Compressed request bodies, opened within the body limit."""

import asyncio
import zlib

from mizzen_gateway.stages import Refusal

WINDOWS = {b"gzip": 31, b"deflate": 15}
INLINE_BYTES = 64 * 1024
"""Larger ones are opened in a thread, so that other callers do not wait."""


class _TooLargeError(Exception):
    """More than the limit comes out."""


def _inflate(body: bytes, window: int, limit: int) -> bytes:
    opener = zlib.decompressobj(window)
    opened = opener.decompress(body, limit + 1)
    if len(opened) > limit:
        raise _TooLargeError
    if not opener.eof or opener.unused_data:
        raise zlib.error("incomplete")
    return opened


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
