"""One worker, as its supervisor sees it: a process, and a connection on which it tells how it is."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import Process

from mizzen_gateway.wire.inheritance import VARIABLE, Inheritance

ASK_SECONDS = 5.0
MAIN = "mizzen_gateway"


class Worker:
    """Started by `start`; `ended` is done when its process is gone."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self.ended = asyncio.ensure_future(process.wait())
        self.retired = False
        """It was told to end."""
        self.began_at = asyncio.get_running_loop().time()
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()

    @property
    def alive(self) -> bool:
        """Its process runs."""
        return not self.ended.done()

    def end(self, number: int = signal.SIGTERM) -> None:
        """Tell it to drain and end, or with SIGKILL, to be gone."""
        self.retired = True
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def ask(self, path: str) -> tuple[int, bytes]:
        """Status and body of one of its admin pages. Raises OSError or TimeoutError where it does not answer."""
        # Who asked may leave: the answer is read all the same, or the next one would get it.
        asking = asyncio.ensure_future(self._exchange(path))
        asking.add_done_callback(_heard)
        async with asyncio.timeout(ASK_SECONDS):
            return await asyncio.shield(asking)

    async def _exchange(self, path: str) -> tuple[int, bytes]:
        async with self._turn:
            try:
                self._writer.write(f"GET {path} HTTP/1.1\r\nHost: worker\r\n\r\n".encode())
                head = await self._reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
                return int(head[9:12]), await self._reader.readexactly(length)
            except (asyncio.IncompleteReadError, ValueError) as error:
                raise ConnectionError(f"worker {self.process.pid} gave no answer") from error

    async def ready(self) -> bool:
        """Callers may be sent to it."""
        try:
            return self.alive and (await self.ask("/readyz"))[0] == 200
        except (OSError, TimeoutError):
            return False

    def close(self) -> None:
        """Forget the connection."""
        self._writer.close()


async def start(listener: socket.socket, waits: bool) -> Worker:
    """Start one on this socket; with `waits` it takes callers only once it is ready."""
    ours, theirs = socket.socketpair()
    with theirs:
        passed = Inheritance(listener.fileno(), theirs.fileno(), os.getpid(), waits)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            MAIN,
            env={**os.environ, VARIABLE: passed.encode()},
            pass_fds=(passed.listener, passed.control),
            process_group=0,  # a terminal's Ctrl-C is the supervisor's to act on
        )
    reader, writer = await asyncio.open_connection(sock=ours, limit=1 << 20)
    return Worker(process, reader, writer)


def _heard(asking: "asyncio.Future[tuple[int, bytes]]") -> None:
    if not asking.cancelled():
        asking.exception()  # whoever waited for it has it; nobody may be left
