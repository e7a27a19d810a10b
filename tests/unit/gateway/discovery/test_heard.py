"""A feed's silence: one that is real ends it, a process that had no time for it does not."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import aclosing, contextmanager

import aiohttp
import pytest
import uvloop
from mizzen_gateway.discovery.heard import heard

SILENCE = 0.3
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n"


class Feed:
    """A server in a thread of its own, which says one thing at once and another when a test lets it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._go_on = threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()

    def _speak(self) -> None:
        with self._listener, self._listener.accept()[0] as caller:
            caller.recv(4096)
            caller.sendall(HEAD + b"one")
            self._go_on.wait(60)
            caller.sendall(b"two")

    def go_on(self) -> None:
        """Say the rest, and end."""
        self._go_on.set()

    def end(self) -> None:
        """Whether it was heard or not."""
        self._go_on.set()
        self._thread.join(60)


@contextmanager
def feed() -> Iterator[Feed]:
    found = Feed()
    try:
        yield found
    finally:
        found.end()


async def all_of(found: Feed, *, stand_still: bool, silence: float) -> bytes:
    """What is heard: the rest is said when all have stood still for longer than a silence, or never."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(found.url) as response,
        aclosing(heard(response.content, silence)) as pieces,
    ):
        said = await anext(pieces)
        coming = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0)
        if stand_still:
            threading.Event().wait(2 * silence)  # the event loop, too: that is what is tried
            asyncio.get_running_loop().call_later(silence / 20, found.go_on)
        said += await coming
        return said + b"".join([piece async for piece in pieces])


def test_a_feed_that_stood_still_with_this_process_is_heard_when_both_go_on() -> None:
    with feed() as found:
        assert uvloop.run(all_of(found, stand_still=True, silence=SILENCE)) == b"onetwo"


def test_a_feed_that_says_nothing_is_given_up() -> None:
    with feed() as found, pytest.raises(TimeoutError, match=r"nothing was heard for 0\.3 s"):
        uvloop.run(all_of(found, stand_still=False, silence=SILENCE))
