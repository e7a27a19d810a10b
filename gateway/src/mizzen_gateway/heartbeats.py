"""What does the caller of a stream see while no replica is ready? A comment now and then: it is not forgotten."""

import asyncio
from collections.abc import Callable

from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.response import HeaderList, Responder

HEARTBEAT_SECONDS = 10.0
"""Before the first one, and between two: until then a refusal can still be a 503."""
HEARTBEAT = b": waiting for a replica\n\n"
STREAM_HEADERS = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))


class Heartbeats:
    """Those of one request. Their clock runs on while an engine has it, so that tries which fail do not delay them."""

    def __init__(self, responder: Responder, headers: HeaderList, last_words: Callable[[Refusal], bytes]) -> None:
        """`last_words` is how a refusal looks in the stream, from the first heartbeat on."""
        self._responder = responder
        self._headers = (*STREAM_HEADERS, *headers)
        self._last_words = last_words
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + HEARTBEAT_SECONDS
        self._timer: asyncio.TimerHandle | None = None

    def _beat(self) -> None:
        self._responder.keep_waiting(self._headers, HEARTBEAT, self._last_words)
        self._due = self._loop.time() + HEARTBEAT_SECONDS
        self._timer = self._loop.call_at(self._due, self._beat)

    def go_on(self) -> None:
        """It waits: the next one comes when it is due, at once if it is overdue."""
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._beat)

    def stop(self) -> None:
        """An engine has the request, or nobody waits for it any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
