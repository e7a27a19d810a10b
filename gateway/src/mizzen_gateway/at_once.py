"""How does a task go on in the moment in which what it waits for has come? By a future that needs no turn of the loop.

A future of asyncio has its task called in the next turn of the event loop: one more look at every socket, twice a
request. For what the loop itself brings, the bytes of a caller or an engine, its task may go on within that very call.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any


class AtOnce(asyncio.Future[None]):
    """Waited for by one task. Errors and cancellation reach it in the next turn, as with any future."""

    __slots__ = ("_then",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._then: tuple[Callable[..., object], Context | None] | None = None

    def add_done_callback(self, fn: Callable[..., object], /, *, context: Context | None = None) -> None:
        """For the task that awaits it."""
        self._then = (fn, context)
        if self.done():
            self._later()

    def come(self) -> None:
        """It is here; who waits for it runs before this returns. To be called where nothing is in the middle of work.

        Where a task calls it, its own waits for the next turn: two cannot run at once.
        """
        if self.done():
            return
        self.set_result(None)
        then = self._then
        if then is None:
            return
        call, context = then
        if context is None or asyncio.current_task(self.get_loop()) is not None:
            self._later()
            return
        self._then = None
        context.run(call, self)

    def set_exception(self, exception: type[BaseException] | BaseException, /) -> None:
        """Something else came."""
        super().set_exception(exception)
        self._later()

    def cancel(self, msg: Any | None = None) -> bool:
        """Nobody waits for it any more."""
        cancelled = super().cancel(msg)
        if cancelled:
            self._later()
        return cancelled

    def _later(self) -> None:
        if self._then is not None:
            (call, context), self._then = self._then, None
            self.get_loop().call_soon(call, self, context=context)
