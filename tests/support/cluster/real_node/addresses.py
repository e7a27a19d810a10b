"""Which addresses does a node take, so that it collides with nothing on this machine and several stand side by side?"""

import ipaddress
import json
import random
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

Network = ipaddress.IPv4Network
_CANDIDATES = range(200, 251)


@dataclass(frozen=True)
class Addresses:
    """A 10.N.0.0/16 and how it is divided."""

    block: Network

    def _at(self, third: int, fourth: int, length: int) -> str:
        return f"{self.block.network_address + 256 * third + fourth}/{length}"

    @property
    def pods(self) -> str:
        """Of the pods."""
        return self._at(0, 0, 17)

    @property
    def services(self) -> str:
        """Of the Services."""
        return self._at(128, 0, 18)

    @property
    def machine(self) -> str:
        """This machine's own end of the cable to the node: the API server listens here."""
        return self._at(255, 1, 30).removesuffix("/30")

    @property
    def node(self) -> str:
        """The node's end: kubelet and DNS listen here."""
        return self._at(255, 2, 30).removesuffix("/30")


def free(taken: Iterable[Network]) -> Addresses:
    """A block that overlaps none of `taken`; RuntimeError where there is none."""
    known = list(taken)
    for number in random.SystemRandom().sample(_CANDIDATES, len(_CANDIDATES)):
        block = Network(f"10.{number}.0.0/16")
        if not any(block.overlaps(other) for other in known):
            return Addresses(block)
    raise RuntimeError(
        f"this machine has routes into every network from 10.{_CANDIDATES.start}.0.0/16 to "
        f"10.{_CANDIDATES.stop - 1}.0.0/16; remove one, `ip route` shows them"
    )


def taken() -> list[Network]:
    """Networks that this machine has an address in or a route to; the default route does not count."""
    routes = json.loads(_ip("-json", "-4", "route", "show", "table", "all") or "[]")
    found = [route["dst"] for route in routes if route.get("dst") not in (None, "default")]
    return [Network(each, strict=False) for each in found]


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout
