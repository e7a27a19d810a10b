"""Do the policy of a fetch and the fetch itself refuse the same addresses? Each is there should the other fail."""

import ipaddress
from collections.abc import Iterator
from typing import Final

import pytest
from mizzen_engines.fetch.addresses import AddressPolicy
from mizzen_operator.kinds.model_deployment.way_out import NAT64, OUTSIDE, PRIVATE_IPV4, PRIVATE_IPV6

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
FETCH: Final = AddressPolicy()
NOBODY: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",  # "this network": a packet to it goes nowhere
            "192.0.2.0/24",  # examples in documents
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # groups, which TCP does not reach
            "::/128",
            "100::/64",  # discarded
            "2001::/23",  # protocols' own
            "2001:db8::/32",  # examples in documents
            "ff00::/8",
        ),
    )
)
"""What the fetch refuses, and a policy need not: no connection comes about there."""
SPECIAL: Final = tuple(map(ipaddress.ip_network, ("240.0.0.0/4", "198.18.0.0/15", *PRIVATE_IPV4, *PRIVATE_IPV6)))


def edges(network: Network) -> Iterator[Address]:
    """Its first and last address, and the neighbours of both."""
    for number in (int(network[0]) - 1, int(network[0]), int(network[-1]), int(network[-1]) + 1):
        if 0 <= number < 2**network.max_prefixlen:
            yield type(network[0])(number)


def blocks() -> Iterator[tuple[Network, list[Network]]]:
    for to in OUTSIDE["to"]:
        yield ipaddress.ip_network(str(to["ipBlock"]["cidr"])), [*map(ipaddress.ip_network, to["ipBlock"]["except"])]


def let_out(address: Address) -> bool:
    """By the policy."""
    return any(
        address in whole and not any(address in one for one in exceptions if one.version == address.version)
        for whole, exceptions in blocks()
    )


def is_nobodys(address: Address) -> bool:
    inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if address in NAT64 else address
    return any(inner in network for network in NOBODY if network.version == inner.version)


EXCEPTED: Final = [one for _, exceptions in blocks() for one in exceptions]
PROBES: Final = sorted({str(address) for network in (*EXCEPTED, *SPECIAL, *NOBODY) for address in edges(network)})


@pytest.mark.parametrize("text", PROBES)
def test_what_one_refuses_the_other_refuses(text: str) -> None:
    address = ipaddress.ip_address(text)
    allowed = FETCH.allows("store.example", text)
    assert allowed == (let_out(address) and not is_nobodys(address))


def test_addresses_on_both_sides_are_compared() -> None:
    allowed = {text for text in PROBES if FETCH.allows("store.example", text)}
    assert len(allowed) > 20
    assert len(PROBES) - len(allowed) > 40
