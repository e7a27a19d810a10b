"""Runs a program that dies, or kills another, at a named point: `python -m support.killed_at mizzen_gateway`.

KILLED_AT says where: `module:Class.function`, a moment (`before`, `after`, or `torn`: in the middle of what it writes
to a file), at which of its calls, and whom (a process, 0 for the program itself), with `|` between. The program
is as it is otherwise: points are functions that it has, wrapped here, so that it carries no code of tests.
"""

import asyncio
import functools
import importlib
import os
import runpy
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

VARIABLE = "KILLED_AT"
SEGMENT_BYTES = 128 * 1024
"""Of the spool: small, so that a point in the change of segments is reached soon."""


class Trigger:
    """Kills once, at one call of a point."""

    def __init__(self, call: int, victim: int) -> None:
        self._left = call
        self._victim = victim

    @property
    def due(self) -> bool:
        """Counts a call: whether it is the one."""
        self._left -= 1
        return self._left == 0

    def kill(self) -> None:
        """kill -9; comes back only where it was another's turn to die."""
        os.kill(self._victim or os.getpid(), signal.SIGKILL)


def wrapped(function: Callable[..., Any], moment: str, trigger: Trigger) -> Callable[..., Any]:
    """The function, with a kill before or after one of its calls."""

    @functools.wraps(function)
    async def later(*args: Any, **kwargs: Any) -> Any:
        due = trigger.due
        if due and moment == "before":
            trigger.kill()
        result = await function(*args, **kwargs)
        if due and moment == "after":
            trigger.kill()
        return result

    @functools.wraps(function)
    def now(*args: Any, **kwargs: Any) -> Any:
        due = trigger.due
        if due and moment == "before":
            trigger.kill()
        result = function(*args, **kwargs)
        if due and moment == "after":
            trigger.kill()
        return result

    return later if asyncio.iscoroutinefunction(function) else now


def tear_writes(function: Callable[..., Any], trigger: Trigger) -> Callable[..., Any]:
    """The function, of which one call writes half of its data and is killed then."""

    @functools.wraps(function)
    def torn(*args: Any) -> Any:
        if trigger.due:
            os.write(args[0]._descriptor, args[1][: len(args[1]) // 2])
            trigger.kill()
        return function(*args)

    return torn


def arm(where: str) -> None:
    """Wrap the point that `where` names."""
    place, moment, call, victim = where.split("|")
    module_name, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module_name)
    for each in owners:
        owner = getattr(owner, each)
    trigger, function = Trigger(int(call), int(victim)), getattr(owner, name)
    setattr(owner, name, tear_writes(function, trigger) if moment == "torn" else wrapped(function, moment, trigger))


def shorten_segments() -> None:
    """Begin a new segment of the spool after a few requests."""
    from mizzen_gateway.metering import spool

    original = spool.Spool.__init__

    def made(self: Any, folder: Any, settings: Any = None) -> None:
        original(self, folder, replace(settings or spool.SpoolSettings(), segment_bytes=SEGMENT_BYTES))

    spool.Spool.__init__ = made  # type: ignore[method-assign]  # for tests alone


def main() -> None:
    """Arm, and run the program."""
    program = sys.argv[1]
    if program == "mizzen_gateway":
        shorten_segments()
    if where := os.environ.get(VARIABLE):
        arm(where)
    sys.argv = [program, *sys.argv[2:]]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
