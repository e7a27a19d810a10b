"""What does a worker get from its supervisor? Open sockets, named in one variable of its environment."""

import ctypes
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VARIABLE = "MIZZEN_WORKER"
"""Set by the supervisor alone."""
_SET_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


@dataclass(frozen=True, slots=True)
class Inheritance:
    """Descriptors that the supervisor passed on."""

    listener: int
    """Socket that listens for callers; this worker's alone among those that serve now."""
    control: int
    """Connection on which the supervisor asks for the admin pages."""
    supervisor: int
    """Its process id."""
    waits: bool
    """Callers are taken only once this worker is ready: others serve until then."""

    def encode(self) -> str:
        """For the environment."""
        return f"{self.listener},{self.control},{self.supervisor},{int(self.waits)}"


def inheritance(environment: Mapping[str, str] = os.environ) -> Inheritance | None:
    """None where nobody supervises this process."""
    text = environment.get(VARIABLE)
    if not text:
        return None
    listener, control, supervisor, waits = map(int, text.split(","))
    return Inheritance(listener, control, supervisor, bool(waits))


def end_with(supervisor: int) -> None:
    """Get SIGTERM when the supervisor ends, however it ends: a worker that nobody watches must not hold the port."""
    ctypes.CDLL(None, use_errno=True).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != supervisor:
        os.kill(os.getpid(), signal.SIGTERM)


def listeners(host: str, port: int, count: int) -> list[socket.socket]:
    """So many sockets that listen on one port, each with a queue of its own (SO_REUSEPORT). Raises OSError.

    The system spreads connections over the queues by their addresses: evenly where there are many, by chance where
    there are few. A queue belongs to the socket and not to a process: who ends leaves its connections to the next.
    """
    made: list[socket.socket] = []
    try:
        for _ in range(count):
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            one = socket.socket(family, kind, protocol)
            made.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if len(made) == 1 and port:
                _refuse_if_in_use(family, kind, protocol, address)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.setblocking(False)
            one.bind(address)
            one.listen(4096)
            port = one.getsockname()[1]
    except OSError:
        for one in made:
            one.close()
        raise
    return made


def _refuse_if_in_use(family: int, kind: int, protocol: int, address: tuple[Any, ...]) -> None:
    """With SO_REUSEPORT alone two supervisors of one user would share a port, and each get a part of the callers."""
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
