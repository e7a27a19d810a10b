"""An address before a server, at which a test has it refuse, fall silent, or answer late."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class FaultyAddress:
    """Passes bytes on to 127.0.0.1:`target`, in a thread of its own, until it is told otherwise."""

    target: int
    port: int = 0
    away: bool = False
    silent: bool = False
    delay: float = 0.0
    """Seconds that each piece of an answer waits."""
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def set(self, *, away: bool = False, silent: bool = False, delay: float = 0.0) -> None:
        """From now on; what is away ends all connections as well, and so does what comes back from silence."""
        cut = away or self.silent
        self.away, self.silent, self.delay = away, silent, delay
        if cut:
            self.loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, ready: threading.Event, over: asyncio.Event) -> None:
        """Until `over`."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await over.wait()
        server.close()
        self._cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            writer.transport.abort()
            return
        onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self.writers |= {writer, onward_writer}
        await asyncio.gather(
            self._pass(reader, onward_writer, late=False), self._pass(onward_reader, writer, late=True)
        )

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, late: bool) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if self.silent:
                    continue
                if late and self.delay:
                    await asyncio.sleep(self.delay)
                sink.write(data)
        sink.close()
        self.writers.discard(sink)


@contextmanager
def faulty_address(target: int) -> Iterator[FaultyAddress]:
    """Begins without faults."""
    address, ready = FaultyAddress(target), threading.Event()
    over = asyncio.Event()
    thread = threading.Thread(target=address.loop.run_until_complete, args=(address.serve(ready, over),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield address
    finally:
        address.loop.call_soon_threadsafe(over.set)
        thread.join(10)
