"""How a container's output reaches its log: through a pipe, so that the log can be rotated under a running process."""

import asyncio
import os

from mizzen_operator.engine_words import telling_lines

from mizzen_cli.local.log_file import RotatingLog

TAIL_BYTES = 32_768
CHUNK = 65_536


class OutputCopy:
    """Copies what a process writes to `descriptor` into a log, and keeps its last lines."""

    def __init__(self, log: RotatingLog) -> None:
        self._log = log
        self._tail = b""
        self._reader, self.descriptor = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        self._writer_open = True
        self._reading = False

    def begin(self) -> None:
        """The process has been started: close our copy of its end, and read."""
        self._close_writer()
        asyncio.get_running_loop().add_reader(self._reader, self._readable)
        self._reading = True

    def close(self) -> None:
        """Take what is still in the pipe and stop, also while a process outside our reach holds its other end."""
        self._close_writer()
        if self._reading:
            self._drain()
            self._stop_reading()
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1

    @property
    def tail(self) -> str:
        """The last lines that tell why the process ended."""
        return telling_lines(self._tail.decode(errors="replace"))

    def _close_writer(self) -> None:
        if self._writer_open:
            os.close(self.descriptor)
            self._writer_open = False

    def _readable(self) -> None:
        if self._read_chunk() == b"":
            self._stop_reading()

    def _drain(self) -> None:
        while self._read_chunk():
            pass

    def _read_chunk(self) -> bytes | None:
        """The next bytes; empty at the end, None where there are none now."""
        try:
            chunk = os.read(self._reader, CHUNK)
        except BlockingIOError:
            return None
        self._log.write(chunk)
        self._tail = (self._tail + chunk)[-TAIL_BYTES:]
        return chunk

    def _stop_reading(self) -> None:
        if self._reading:
            asyncio.get_running_loop().remove_reader(self._reader)
            self._reading = False
