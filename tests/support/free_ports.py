"""Which port may a program of a test listen on? One that no other is given, and that no connection goes out from."""

from collections import deque

from support.cluster.ports import Port, reserve

HELD = 100
"""Ports of this process that nobody else gets; each is an open file."""
_held: deque[Port] = deque()


def free_port() -> int:
    """A port that nobody listens on. It stays free until its program takes it, however late that is.

    One that the kernel draws may be drawn again for a connection that goes out; then the program cannot start.
    """
    port = reserve()
    _held.append(port)
    if len(_held) > HELD:
        _held.popleft().release()
    return port.number
