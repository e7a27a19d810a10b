"""Is an address one of the public network, whatever form it is written in? For all that fetch on someone's word."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_CLOUDS = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
"""Where Azure and Oracle answer their machines; the ranges are public by their name."""


def plain_address(text: str) -> Address:
    """The address without zone, and the IPv4 address where an IPv6 one carries it. Raises ValueError for no address."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_public(address: Address) -> bool:
    """Whether a `plain_address` is anybody's: not private, link-local, loopback, multicast, or a cloud's own."""
    return address.is_global and not address.is_multicast and not any(address in network for network in _CLOUDS)
