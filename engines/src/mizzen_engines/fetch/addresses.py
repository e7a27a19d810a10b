"""Which addresses may a fetch reach? Public ones; private and link-local ones only where an administrator lists them.

Names are resolved here and the connection goes to what was checked, so that a name cannot lead elsewhere afterwards.
"""

import ipaddress
import socket
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from mizzen_crds.public_addresses import is_public, plain_address
from yarl import URL

from mizzen_engines.failure import EngineStartError, ExitCode

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class AddressPolicy:
    """Hosts and networks that are allowed although they are private."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "AddressPolicy":
        """From a comma-separated list of host names and networks such as 10.0.0.0/8."""
        hosts, networks = set(), []
        for item in filter(None, (part.strip().lower() for part in text.split(","))):
            try:
                networks.append(ipaddress.ip_network(item))
            except ValueError:
                hosts.add(item)
        return cls(frozenset(hosts), tuple(networks))

    def allows(self, host: str, address: str) -> bool:
        """Whether `host`, which resolved to `address`, may be reached."""
        if host.lower() in self.hosts:
            return True
        known = plain_address(address)
        return is_public(known) or any(known in network for network in self.networks)

    def check_url(self, url: URL) -> None:
        """Refuse a URL that is not https or names a refused address. A host name is checked when it is resolved."""
        host = url.host or ""
        if url.scheme != "https" and host not in self.hosts:
            raise refused(f"{url.scheme}://{host}: only https is fetched; put the weights behind https.")
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return
        if not self.allows(host, host):
            raise refused(_why(host, host))


class CheckedResolver(AbstractResolver):
    """Resolves names, and refuses a name that leads to a refused address."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address of the host, if all are allowed."""
        found = await self._inner.resolve(host, port, family)
        for entry in found:
            if not self._policy.allows(host, entry["host"]):
                raise refused(_why(host, entry["host"]))
        return found

    async def close(self) -> None:
        """Nothing is held open."""


def refused(message: str) -> EngineStartError:
    """The error for a source that may not be fetched from."""
    return EngineStartError(ExitCode.SOURCE_REFUSED, message)


def _why(host: str, address: str) -> str:
    return (
        f"{host} leads to {address}, which is not a public address, so nothing is fetched from it. "
        "An administrator may list its network in the chart's fetch.privateStores, which the fetch is told as "
        "MIZZEN_FETCH_ALLOWED_HOSTS."
    )
