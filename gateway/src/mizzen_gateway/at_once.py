"""How does a task go on in the moment in which what it waits for has come? By a future that needs no turn of the loop.

A future of asyncio has its task called in the next turn of the event loop: one more look at every socket, twice a
request. For what the loop itself brings, the bytes of a caller or an engine, its task may go on within that very call.
"""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context

Then = tuple[Callable[["AtOnce"], object], Context | None]


class AtOnce:
    """Waited for by one task. Errors and cancellation reach it in the next turn, as with any future.

    A future by its methods alone, which are all that tasks ask for: two are made for each request, and one that
    inherits from asyncio's costs twice as much.
    """

    __slots__ = ("_asyncio_future_blocking", "_cancelled", "_done", "_error", "_loop", "_then")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._then: Then | None = None
        self._error: BaseException | None = None
        self._done = self._cancelled = False
        self._asyncio_future_blocking = False
        """Asked and set by tasks."""

    def __await__(self) -> Generator["AtOnce", None, None]:
        """Wait until it is here."""
        if not self._done:
            self._asyncio_future_blocking = True
            yield self
        self.result()

    def done(self) -> bool:
        """It is here, or will never come."""
        return self._done

    def cancelled(self) -> bool:
        """Nobody waits for it any more."""
        return self._cancelled

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Asked by tasks."""
        return self._loop

    def result(self) -> None:
        """Asked by tasks, once: raises what came instead, and lets go of it, since it will know who held it."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None

    def add_done_callback(self, fn: Callable[["AtOnce"], object], /, *, context: Context | None = None) -> None:
        """For the task that awaits it."""
        self._then = (fn, context)
        if self._done:
            self._later()

    def come(self) -> None:
        """It is here; who waits for it runs before this returns. To be called where nothing is in the middle of work.

        Where a task calls it, its own waits for the next turn: two cannot run at once.
        """
        if self._done:
            return
        self._done = True
        then = self._then
        if then is None:
            return
        call, context = then
        if context is None or asyncio.current_task(self._loop) is not None:
            self._later()
            return
        self._then = None
        context.run(call, self)

    def set_exception(self, error: BaseException, /) -> None:
        """Something else came."""
        self._done, self._error = True, error
        self._later()

    def cancel(self, msg: str | None = None) -> bool:
        """Nobody waits for it any more."""
        if self._done:
            return False
        self._done = self._cancelled = True
        self._error = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        self._later()
        return True

    def _later(self) -> None:
        if self._then is not None:
            (call, context), self._then = self._then, None
            self._loop.call_soon(call, self, context=context)
