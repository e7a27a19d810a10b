"""From which address does a call come, and may its key be used from there?

Only keys that are confined to networks are asked about. `X-Forwarded-For` counts only where the connection comes from a
trusted proxy: then the caller is the rightmost hop that is not trusted, since everything left of it is its own word.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from mizzen_gateway.stages import Caller, Headers, Network, Refusal

FORWARDED: Final = b"x-forwarded-for"
MAPPED: Final = 0xFFFF << 32
"""What comes before an IPv4 address that is written as one of IPv6."""
Address = tuple[int, int]
"""Its bits, and its number."""


def networks_of(ranges: Iterable[str]) -> tuple[Network, ...]:
    """Networks in CIDR notation, or single addresses. Raises ValueError."""
    found = []
    for text in ranges:
        network = ipaddress.ip_network(text.strip())
        found.append((network.max_prefixlen, int(network.network_address), int(network.netmask)))
    return tuple(found)


def is_in(address: Address, networks: Iterable[Network]) -> bool:
    """Whether one of the networks holds the address."""
    bits, number = address
    return any(bits == of and number & mask == network for of, network, mask in networks)


def address_in(text: str) -> Address | None:
    """An address as proxies write it, perhaps with a port; None where it is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    text = text.partition("%")[0]
    try:
        if ":" not in text:
            return 32, int.from_bytes(socket.inet_pton(socket.AF_INET, text))
        number = int.from_bytes(socket.inet_pton(socket.AF_INET6, text))
    except (OSError, ValueError):
        return None
    return (32, number & 0xFFFFFFFF) if number >> 32 == MAPPED >> 32 else (128, number)


def peer_of(transport: asyncio.BaseTransport) -> str:
    """The address of the other side of a connection; empty where it has none."""
    name = transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) else ""


def address_of_grpc(peer: str) -> str:
    """The address in gRPC's name of the other side, as `ipv4:192.0.2.7:4711` or `ipv6:%5B::1%5D:4711`."""
    return unquote(peer.partition(":")[2])


class Origins:
    """Knows which proxies are trusted."""

    def __init__(self, trusted: tuple[Network, ...] = ()) -> None:
        """`trusted`: of MIZZEN_TRUSTED_PROXIES."""
        self._trusted = trusted

    def address_of(self, peer: str, headers: Headers) -> Address | None:
        """Where a call comes from whose connection is from `peer`; None where nobody can tell."""
        found = address_in(peer)
        if found is None or not is_in(found, self._trusted):
            return found
        for hop in reversed(headers.get(FORWARDED, b"").decode("latin-1").split(",")):
            if not hop.strip():
                continue
            found = address_in(hop)
            if found is None or not is_in(found, self._trusted):
                return found
        return found

    def refusal(self, caller: Caller, peer: str, headers: Headers) -> Refusal | None:
        """403 where the caller's key may not be used from where the call comes; None where it may."""
        if caller.addresses is None:
            return None
        address = self.address_of(peer, headers)
        if address is not None and is_in(address, caller.addresses):
            return None
        return Refusal(
            403,
            "address_not_allowed",
            f"The API key may not be used from {_shown(address)}; call from one of the networks that it is confined "
            "to, or have yours added to its ip_ranges. Behind a proxy the gateway must trust that proxy "
            "(MIZZEN_TRUSTED_PROXIES).",
        )


def _shown(address: Address | None) -> str:
    if address is None:
        return "an address that the gateway cannot tell"
    bits, number = address
    return f"the address {ipaddress.IPv4Address(number) if bits == 32 else ipaddress.IPv6Address(number)}"
