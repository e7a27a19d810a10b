"""Reads a feed of JSON lines in a thread, so that a test can wait for the line that it is about."""

import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx
import orjson
from support.controlplane import ControlPlane

Line = dict[str, Any]


class FeedLines:
    """A feed under way."""

    def __init__(self, controlplane: ControlPlane, program: str, path: str, **params: Any) -> None:
        self._controlplane, self._program, self._path, self._params = controlplane, program, path, params
        self._lines: queue.Queue[Line] = queue.Queue()
        self._ended = threading.Event()

    def _read(self) -> None:
        try:
            with (
                self._controlplane.client(self._program) as client,
                client.stream("GET", self._path, params=self._params, timeout=10) as response,
            ):
                for line in response.iter_lines():
                    self._lines.put(orjson.loads(line) | {"arrived": time.monotonic()})
                    if self._ended.is_set():
                        return
        except httpx.HTTPError:
            return

    def wait_for(self, wanted: Callable[[Line], bool], seconds: float = 10.0) -> Line:
        """The next line for which `wanted` holds."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no such line within {seconds} s") from None
            if wanted(line):
                return line

    def __enter__(self) -> Self:
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # The thread ends by itself at the next line, which is at most a heartbeat away.
        self._ended.set()
