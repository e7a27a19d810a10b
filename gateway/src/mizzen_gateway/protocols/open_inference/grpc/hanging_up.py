"""Closes the connection of a caller to whom no last word gets through: gRPC's library has no way to do so.

A call ends behind all that was written before, so that one whose caller takes nothing of that would stay, with what has
come for it.
"""

import os
import socket
from contextlib import closing, suppress

from mizzen_gateway.protocols.open_inference.grpc.received import parsed

DESCRIPTORS = "/proc/self/fd"
MAPPED = "::ffff:"
FAMILIES = (socket.AF_INET, socket.AF_INET6)


def hang_up(peer: str, port: int) -> bool:
    """Of this process, to its `port`; `peer` as gRPC writes it. Says whether it was there. Looks at every open file."""
    address = parsed(peer)
    if address is None:
        return False
    _, *wanted = address
    with suppress(OSError):
        for name in os.listdir(DESCRIPTORS):  # noqa: PTH208  # names alone
            with suppress(OSError), closing(socket.socket(fileno=os.dup(int(name)))) as found:
                if found.family not in FAMILIES:
                    continue
                host, remote = found.getpeername()[:2]
                if [host.removeprefix(MAPPED), remote] == wanted and found.getsockname()[1] == port:
                    found.shutdown(socket.SHUT_RDWR)
                    return True
    return False
