"""Which loopback address is a pod's own: one in 127.0.0.0/8, claimed by a lock that ends with its holder.

The lock is a socket in the abstract namespace: that namespace and the loopback addresses belong to the same network
namespace, so two data folders, of two users even, never get one address, and a crash leaves nothing behind.
"""

import hashlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ATTEMPTS = 512


class NoAddressError(Exception):
    """No address of 127.0.0.0/8 could be claimed."""


class PortTakenError(Exception):
    """A port that the pod needs is held on all addresses."""


@dataclass(frozen=True)
class AddressClaim:
    """An address, held until `release` or the end of the process."""

    address: str
    lock: socket.socket

    def release(self) -> None:
        """Give the address back."""
        self.lock.close()


def candidates(seed: str) -> Iterator[str]:
    """Addresses of 127.16.0.0 to 127.255.255.255 in an order of the seed's own; never one ending in 0, 1 or 255."""
    for attempt in range(ATTEMPTS):
        digest = hashlib.sha256(f"{seed}/{attempt}".encode()).digest()
        yield f"127.{16 + digest[0] % 240}.{digest[1]}.{2 + digest[2] % 253}"


def claim_address(seed: str) -> AddressClaim:
    """Claim the first free address of the seed's order. Raises NoAddressError."""
    for address in candidates(seed):
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            lock.bind(f"\0mizzen/pod-address/{address}")
        except OSError:
            lock.close()
            continue
        return AddressClaim(address, lock)
    raise NoAddressError(
        f"none of {ATTEMPTS} addresses tried in 127.0.0.0/8 is free; stop pods of other data folders (`mizzen status`)"
    )


def check_ports(address: str, ports: Sequence[int]) -> None:
    """Raise PortTakenError where a pod at `address` could not bind one of `ports`."""
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except PermissionError as error:
                raise PortTakenError(f"port {port} is below the system's first unprivileged port") from error
            except OSError as error:
                raise PortTakenError(
                    f"port {port} cannot be bound at {address}: a program listens on it on all addresses (0.0.0.0); "
                    "stop that program, or let it listen on 127.0.0.1"
                ) from error
