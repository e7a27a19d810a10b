"""How does one request travel? The only file that holds a socket: token, time-outs, answers turned into errors.

`Api` is the only caller. A request is sent once; only a 401 is tried again, once, with the token read afresh. Whoever
backs off does it above, where it is known what can wait.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import orjson
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from mizzen_kube.connection import Connection
from mizzen_kube.errors import ApiError, UnauthorizedError, UnavailableError, error_of

JSON = "application/json"
USER_AGENT = "mizzen"
Fence = Callable[[], None]
"""Raises where this process may not write now."""


@dataclass(frozen=True)
class Patience:
    """How long a request may take, in seconds."""

    connect: float = 5.0
    request: float = 30.0
    connections: int = 200
    """Sockets at most; each watch keeps one."""


PATIENT = Patience()


@dataclass(frozen=True)
class Request:
    """What is asked of the server."""

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: bytes | None = None
    content_type: str = JSON
    accept: str = JSON
    fence: Fence | None = None

    @property
    def doing(self) -> str:
        """For an error's message."""
        return f"{self.method} {self.path}"


class _FencedBody(aiohttp.BytesPayload):
    """A body that asks once more, in the moment it is sent, whether this process may still write.

    A process can be stopped between its decision and the socket; a request without its body does nothing.
    """

    def __init__(self, request: Request, fence: Fence) -> None:
        super().__init__(request.body or b"", content_type=request.content_type)
        self._fence = fence

    async def write(self, writer: AbstractStreamWriter) -> None:
        """For aiohttp."""
        self._fence()
        await super().write(writer)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """For aiohttp."""
        self._fence()
        await super().write_with_length(writer, content_length)


class Transport:
    """A pool of connections to one API server."""

    def __init__(self, connection: Connection, session: aiohttp.ClientSession, patience: Patience) -> None:
        """Made by `open_transport`."""
        self._connection = connection
        self._session = session
        self._patience = patience

    async def ask(self, request: Request) -> dict[str, Any]:
        """Return the answer's document. Raises `ApiError`."""
        async with self._answer(request) as answer, asyncio.timeout(self._patience.request):
            body = await answer.read()
        try:
            return cast("dict[str, Any]", orjson.loads(body))
        except orjson.JSONDecodeError as error:
            raise UnavailableError(f"{request.doing}: {len(body)} bytes that are no JSON: {error}") from error

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[aiohttp.StreamReader]:
        """Yield the body of an answer that goes on for long. Raises `ApiError`, while it is read as well."""
        async with self._answer(request) as answer:
            yield answer.content

    @asynccontextmanager
    async def _answer(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with asyncio.timeout(self._patience.request):
                answer = await self._send_signed(request)
            async with answer:
                yield answer
        except ApiError:
            raise
        except TimeoutError as error:
            raise UnavailableError(f"{request.doing}: no answer of {self._connection.server} in time") from error
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            if isinstance(error, aiohttp.ClientConnectorCertificateError):
                self._connection.trust_again()
            if isinstance(error.__cause__, ApiError):  # the fence, while the body was sent
                raise error.__cause__ from None
            shown = f"{type(error).__name__}: {error}"
            raise UnavailableError(f"{request.doing}: {self._connection.server}: {shown}") from error

    async def _send_signed(self, request: Request) -> aiohttp.ClientResponse:
        try:
            return await self._send(request)
        except UnauthorizedError:
            self._connection.credentials.refused()
            return await self._send(request)

    async def _send(self, request: Request) -> aiohttp.ClientResponse:
        token = await self._connection.credentials.token()
        if request.fence:
            request.fence()
        answer = await self._session.request(
            request.method,
            URL(self._connection.server + request.path, encoded=True).with_query(request.query),
            data=_body_of(request),
            headers=_headers_of(request, token),
            proxy=self._connection.proxy,
            server_hostname=self._connection.server_name,
            allow_redirects=False,  # the token is for this server alone
        )
        if 200 <= answer.status < 300:
            return answer
        async with answer:
            error = error_of(request.doing, answer.status, await answer.read(), answer.headers.get("Retry-After"))
        raise error


def _body_of(request: Request) -> bytes | _FencedBody | None:
    if request.fence and request.body is not None:
        return _FencedBody(request, request.fence)
    return request.body


def _headers_of(request: Request, token: str) -> dict[str, str]:
    headers = {"Accept": request.accept}
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return headers


@asynccontextmanager
async def open_transport(
    connection: Connection, patience: Patience = PATIENT, user_agent: str = USER_AGENT
) -> AsyncIterator[Transport]:
    """Yield a transport; its connections are closed at the end."""
    connector = aiohttp.TCPConnector(limit=patience.connections, ssl=connection.tls or True)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=patience.connect)
    # Without compression: within a cluster the server's time is dearer than the bytes.
    headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
        yield Transport(connection, session, patience)
