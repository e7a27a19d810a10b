"""Which ports the programs listen on, whether they are free, and who holds them if not."""

import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self

import psutil

from mizzen_cli.errors import CommandError, ExitCode

HOST = "127.0.0.1"


class PortInUseError(CommandError):
    """A port is taken; the text names it, its holder and the option that chooses another."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.USAGE)


@dataclass(frozen=True)
class Ports:
    """Ports of an installation."""

    controlplane: int = 8470
    gateway: int = 8480
    gateway_admin: int = 8481
    runner: int = 8482
    grpc: int = 0
    """Of the gateway; 0 where it speaks none."""

    def as_json(self) -> dict[str, int]:
        """For the settings file."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Any) -> Self | None:
        """Read back; None for anything else."""
        if not isinstance(body, dict) or not cls.__dataclass_fields__.keys() - {"grpc"} <= body.keys():
            return None
        return cls(**{name: int(body.get(name, 0)) for name in cls.__dataclass_fields__})


OPTIONS = {"controlplane": "--port", "gateway": "--gateway-port", "grpc": "--grpc-port"}
"""What people may choose; the others are internal and moved out of the way by themselves."""


def is_free(port: int) -> bool:
    """Whether this machine would let a program listen there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def holder_of(port: int) -> str:
    """Name and number of the process that listens there, as far as this user may see."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "a process of another user"
    for each in connections:
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid:
            try:
                return f"{psutil.Process(each.pid).name()} (pid {each.pid})"
            except psutil.NoSuchProcess:
                continue
    return "a process that this user may not see"


def choose_ports(wanted: Ports, taken: Callable[[str], bool]) -> Ports:
    """Check the ports of programs that are to be started; `taken(name)` says that our own program holds it already.

    Raises:
        PortInUseError: a port that people know is held by something else.
    """
    chosen = asdict(wanted)
    for name, port in chosen.items():
        if taken(name) or is_free(port):
            continue
        if option := OPTIONS.get(name):
            raise PortInUseError(
                f"port {port} on {HOST} is in use by {holder_of(port)}; stop it, or choose another port with {option}"
            )
        chosen[name] = free_port(set(chosen.values()))
    return Ports(**chosen)


def free_port(avoid: set[int]) -> int:
    """A port that the system gives out, other than those in `avoid`."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if port not in avoid:
            return port
