"""What does a name lead to? Asked once a connection: of the system, or of the server that the settings name."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable

import dns.asyncresolver
import dns.exception

from mizzen_controlplane.egress.policy import RefusedError

Resolve = Callable[[str], Awaitable[list[str]]]
"""Addresses of a host; raises RefusedError where there are none."""


def resolver_of(server: str) -> Resolve:
    """The way of asking: `server` is `address` or `address:port` of a DNS server, empty for the system's."""
    if not server:
        return _asked_of_system
    address, _, port = server.partition(":")
    asked = dns.asyncresolver.Resolver(configure=False)
    asked.nameservers = [address]
    asked.port = int(port or 53)
    asked.lifetime = 5.0

    async def resolve(host: str) -> list[str]:
        if literal := _literal(host):
            return literal
        try:
            return list((await asked.resolve_name(host)).addresses())
        except dns.exception.DNSException as error:
            raise _unknown(host) from error

    return resolve


async def _asked_of_system(host: str) -> list[str]:
    if literal := _literal(host):
        return literal
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _unknown(host) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _literal(host: str) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        return []


def _unknown(host: str) -> RefusedError:
    return RefusedError("host_unknown", f"{host} has no address: check the name.")
