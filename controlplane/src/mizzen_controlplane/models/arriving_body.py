"""How the bytes of a request are written at a place of a file: in large writes, and never waited for without end."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable

from starlette.requests import ClientDisconnect

from mizzen_controlplane.kit.problem import RequestTimeout
from mizzen_controlplane.models.blob_folder import disk_full_as_problem

_WRITE_BYTES = 1 << 20


async def unless_stalled(body: AsyncIterator[bytes], path: str, seconds: float) -> AsyncIterator[bytes]:
    """The body as it arrives; raises RequestTimeout once nothing has come for `seconds`."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                chunk = await anext(body)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise RequestTimeout(
                f"No byte of {path} came for {seconds:g} s (MIZZEN_UPLOAD_STALL_SECONDS). What was received is "
                "kept: go on from there.",
                code="upload_stalled",
                headers={"Connection": "close"},
            ) from error
        yield chunk


async def pour(
    descriptor: int, at: int, body: AsyncIterator[bytes], most: int, too_long: Callable[[], Exception]
) -> AsyncIterator[int]:
    """Write `body` from `at` on; yields how many bytes are written each time some are, those of a broken body too.

    Raises what `too_long` makes before a byte beyond `most` is written, and InsufficientStorage where the disk is full.
    """
    held = bytearray()
    taken = 0
    broken: Exception | None = None
    try:
        async for chunk in body:
            taken += len(chunk)
            if taken > most:
                raise too_long()
            held += chunk
            if len(held) >= _WRITE_BYTES:
                async for written in _written(descriptor, at, held):
                    at += written
                    yield written
    except (ClientDisconnect, RequestTimeout) as error:
        broken = error  # the caller is gone, but what it sent counts
    async for written in _written(descriptor, at, held):
        at += written
        yield written
    if broken is not None:
        raise broken


async def _written(descriptor: int, at: int, held: bytearray) -> AsyncIterator[int]:
    """Write all of `held` and empty it; a disk that fills up keeps what went in."""
    content, held[:] = bytes(held), b""
    done = 0
    while done < len(content):
        with disk_full_as_problem():
            written = await asyncio.to_thread(os.pwrite, descriptor, memoryview(content)[done:], at + done)
        done += written
        yield written
