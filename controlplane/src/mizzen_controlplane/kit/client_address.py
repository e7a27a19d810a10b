"""From where does a request come? From the connection's other end, unless that is a proxy that is trusted to say."""

import ipaddress
from collections.abc import Iterable, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(peer: str, forwarded: Iterable[str], trusted: Sequence[Network]) -> str:
    """The address nearest to `peer` that is no trusted proxy's; `forwarded` are the X-Forwarded-For headers, in order.

    What stands left of an address that nobody vouches for could have been written by anyone, and is not looked at.
    """
    known = peer
    if not _is_trusted(peer, trusted):
        return peer
    for hop in reversed([hop.strip() for header in forwarded for hop in header.split(",")]):
        address = _address(hop)
        if address is None:
            return known
        known = str(address)
        if not _is_trusted(known, trusted):
            return known
    return known


def _is_trusted(text: str, trusted: Sequence[Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in trusted)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Also of `address:port` and `[address]:port`, as some proxies write."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
