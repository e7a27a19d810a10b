"""Which API server, whose certificate, which token?

Tokens rotate: the file is read again when it changes and after the server refused what it held.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class Credentials(Protocol):
    """Who the program says that it is."""

    async def token(self) -> str:
        """Return the bearer token; empty where a client certificate speaks for the program."""

    def refused(self) -> None:
        """Called after a 401: the next token must be read afresh."""


@dataclass(frozen=True)
class Connection:
    """All that a request needs beside its path."""

    server: str
    """https://host:port, without a slash at its end."""
    credentials: Credentials
    tls: ssl.SSLContext | None = None
    """None for a server without TLS (tests)."""
    ca_file: Path | None = None
    """Read again when the server's certificate is no longer trusted: authorities rotate too."""
    proxy: str | None = None
    server_name: str | None = None
    """The name in the server's certificate, where it is not the host."""

    def trust_again(self) -> None:
        """Trust what the authority's file holds now, as well as what it held before."""
        if self.tls and self.ca_file:
            self.tls.load_verify_locations(cafile=self.ca_file)


@dataclass
class TokenFile:
    """A token in a file that somebody replaces before it ends."""

    file: Path
    _seen: tuple[int, int, int] | None = field(default=None, init=False)
    _token: str = field(default="", init=False)

    async def token(self) -> str:
        """Return what the file holds; while it cannot be read, what it held last. OSError where it never could."""
        try:
            facts = self.file.stat()
            seen = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
            if seen != self._seen:
                self._token, self._seen = self.file.read_text().strip(), seen
        except OSError:
            if not self._token:
                raise
        return self._token

    def refused(self) -> None:
        """The file is read at the next request, changed or not."""
        self._seen = None


@dataclass
class FixedToken:
    """A token that does not change."""

    value: str = ""

    async def token(self) -> str:
        """Return it."""
        return self.value

    def refused(self) -> None:
        """Nothing to read afresh."""


@dataclass
class FetchedToken:
    """A token that somebody makes on demand: the command or identity provider that a kubeconfig names."""

    fetch: Callable[[], Awaitable[str]]
    _token: str | None = field(default=None, init=False)
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def token(self) -> str:
        """Return the token, made once until it is refused; many requests at once make one."""
        async with self._fetching:
            if self._token is None:
                self._token = await self.fetch()
            return self._token

    def refused(self) -> None:
        """The next request makes another."""
        self._token = None
