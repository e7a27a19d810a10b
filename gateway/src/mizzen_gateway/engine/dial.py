"""How is an engine reached that is more than an address? By TLS, below a path, with a key of its own.

Engines in pods are addresses and need none of it; upstreams of a gateway that runs alone may need all.
"""

import ssl
from dataclasses import dataclass, field

from mizzen_gateway.engine.exchange import EngineRequest
from mizzen_gateway.wire.response import HeaderList

VERSION = "/v1"
"""What the paths of the OpenAI API begin with here; elsewhere they begin with the upstream's own base."""


@dataclass(frozen=True, slots=True)
class Dial:
    """One upstream. Equal ones may share connections."""

    host: str
    """Name or address to connect to."""
    port: int
    """Port there."""
    authority: str
    """Value of the Host header."""
    root: str = ""
    """Path that all others are below, without a slash at its end."""
    base: str = VERSION
    """Path that stands for /v1, `root` included."""
    headers: HeaderList = ()
    """Sent with each request: the upstream's key."""
    trusted: str | None = None
    """None: no TLS. Empty: those that the system trusts. Else PEM of the authorities that are trusted."""
    tls: ssl.SSLContext | None = field(default=None, compare=False, repr=False)
    """Made of `trusted`."""

    def aim(self, request: EngineRequest) -> EngineRequest:
        """The request as this upstream wants it."""
        path = request.path
        path = self.base + path[len(VERSION) :] if path.startswith("/v1/") else self.root + path
        headers = (*self.headers, *request.headers)
        return EngineRequest(path, request.body, headers, request.method, request.stream, request.tail)
