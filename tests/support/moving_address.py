"""An address whose server is another one from some moment on, as that of a Service or a proxy before a primary is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class MovingAddress:
    """Connections go to the server of the moment in which they are made, and stay there."""

    target: int
    """Port of that server, on 127.0.0.1."""
    port: int = 0
    passing: set["asyncio.Task[None]"] = field(default_factory=set)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", self.target)
        for source, sink in ((reader, onward_writer), (onward_reader, writer)):
            self.passing.add(asyncio.create_task(_pass(source, sink)))


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
    except ConnectionError:
        pass
    finally:
        sink.close()


@asynccontextmanager
async def moving_address(target: int) -> AsyncIterator[MovingAddress]:
    """Begins at `target`."""
    address = MovingAddress(target)
    server = await asyncio.start_server(address.accept, "127.0.0.1", 0)
    address.port = server.sockets[0].getsockname()[1]
    try:
        yield address
    finally:
        server.close()
        for task in address.passing:
            task.cancel()
        await asyncio.gather(*address.passing, return_exceptions=True)
