"""Which hosts, ports and addresses may be reached on someone's word? Public ones over TLS, and what settings add."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mizzen_crds.public_addresses import Address, is_public, plain_address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
TLS_PORT = 443
_NOBODYS = (
    ipaddress.ip_network("::/96"),  # once the form of IPv4 addresses in IPv6
    ipaddress.ip_network("64:ff9b:1::/48"),  # NAT64 inside of a site: where the IPv4 address stands is the site's
    ipaddress.ip_network("fec0::/10"),  # once site-local
)
"""Public to the letter of the registries, and no server's."""
_NUMBERS = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)(\.(0[xX][0-9a-fA-F]*|[0-9]+))*\.?")
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?")


class RefusedError(Exception):
    """It may not be reached; the text names what, why, and the setting that would allow it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What settings say."""

    trusted_hosts: frozenset[str] = frozenset()
    """Names, `host` or `host:port`, that may be private, and be asked without TLS and on any port."""
    trusted_networks: tuple[Network, ...] = ()
    """The same for addresses."""
    only: tuple[str, ...] = ()
    """Where not empty, no other host is reached: names, or `*.example.org` for all below it."""

    def host(self, given: str) -> str:
        """The host as it is asked for; raises RefusedError for one that names an address in an odd way, or nothing."""
        name = given.strip("[]").lower().removesuffix(".")
        try:
            return str(plain_address(name)) if ":" in name else str(ipaddress.IPv4Address(name))
        except ValueError:
            pass
        if _NUMBERS.fullmatch(name) or not _NAME.fullmatch(name):
            raise RefusedError(
                "host_malformed",
                f"{given[:253]!r} is neither a name nor an address in its usual form (four decimal numbers, or IPv6).",
            )
        return name

    def check_target(self, host: str, port: int, *, tls: bool) -> None:
        """Refuse a host that is not on the list, a port that is not TLS's, and plain HTTP; trusted ones excepted."""
        if self.only and not any(_matches(pattern, host) for pattern in self.only) and not self._named(host, port):
            raise RefusedError("host_not_listed", f"{host} is not one of MIZZEN_EGRESS_ONLY: an administrator adds it.")
        if self._named(host, port) or self._in_trusted_network(host):
            return
        if not tls:
            raise RefusedError("not_tls", f"http://{host}: only https is fetched. {_remedy(host)}")
        if port != TLS_PORT:
            raise RefusedError("port_refused", f"{host}:{port}: only port {TLS_PORT} is reached. {_remedy(host)}")

    def checked(self, host: str, port: int, addresses: Sequence[str]) -> list[Address]:
        """What the name led to, if all of it may be reached; raises RefusedError."""
        known = [plain_address(address) for address in addresses]
        for address in known:
            allowed = self._named(host, port) or _is_anybodys(address) or self._trusts(address)
            if not allowed:
                raise RefusedError(
                    "address_refused",
                    f"{host} leads to {address}, which is not a public address, so nothing is fetched from it. "
                    + _remedy(host),
                )
        return known

    def _named(self, host: str, port: int) -> bool:
        return host in self.trusted_hosts or f"{host}:{port}" in self.trusted_hosts

    def _in_trusted_network(self, host: str) -> bool:
        try:
            return self._trusts(plain_address(host))
        except ValueError:
            return False

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.trusted_networks if network.version == address.version)


def policy_of(trusted: str, only: str) -> EgressPolicy:
    """From MIZZEN_EGRESS_TRUSTED and MIZZEN_EGRESS_ONLY, comma-separated; raises ValueError naming what is wrong."""
    hosts, networks = set(), []
    for item in _items(trusted):
        try:
            networks.append(ipaddress.ip_network(item))
        except ValueError as error:
            if "/" in item or not _NAME.fullmatch(item.partition(":")[0]):
                raise ValueError(f"{item!r} is no host, host:port, address or network such as 10.0.0.0/8") from error
            hosts.add(item)
    for item in _items(only):
        if not _NAME.fullmatch(item.removeprefix("*.")):
            raise ValueError(f"{item!r} is no host, nor *.domain")
    return EgressPolicy(frozenset(hosts), tuple(networks), tuple(_items(only)))


def _is_anybodys(address: Address) -> bool:
    return is_public(address) and not any(address in network for network in _NOBODYS)


def _items(text: str) -> list[str]:
    return [item for item in (part.strip().lower() for part in text.split(",")) if item]


def _matches(pattern: str, host: str) -> bool:
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _remedy(host: str) -> str:
    return f"An administrator may trust {host}, or its network, in MIZZEN_EGRESS_TRUSTED."
