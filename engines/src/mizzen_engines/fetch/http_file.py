"""How is one file read over HTTP? From an offset, with redirects followed by hand so that each hop is checked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from mizzen_engines.failure import EngineStartError, ExitCode
from mizzen_engines.fetch.source import Body, TransferBrokenError

READ_BYTES = 1024 * 1024
MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
BROKEN = (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError)

Check = Callable[[URL], None]
HeadersFor = Callable[[URL], dict[str, str]]


class HttpReader:
    """Reads files over one session."""

    def __init__(self, session: aiohttp.ClientSession, check: Check, headers_for: HeadersFor) -> None:
        self._session = session
        self._check = check
        self._headers_for = headers_for

    @asynccontextmanager
    async def get(self, url: URL, offset: int = 0, method: str = "GET") -> AsyncIterator[aiohttp.ClientResponse]:
        """Send the request and yield the answer of the last hop, its status checked."""
        try:
            async with await self._last_hop(url, offset, method) as response:
                _check_status(response, url)
                yield response
        except aiohttp.ClientConnectorCertificateError as error:
            # No break: the next try would meet the same certificate.
            raise EngineStartError(
                ExitCode.UNREACHABLE,
                f"the certificate of {url.host} is not trusted here ({error.certificate_error}); renew it, or name its "
                "authority (for the registry: MIZZEN_REGISTRY_CA).",
            ) from error
        except BROKEN as error:
            raise TransferBrokenError(f"{url.host}: {error or type(error).__name__}") from error

    @asynccontextmanager
    async def read(self, url: URL, offset: int) -> AsyncIterator[Body]:
        """Open the file at the URL from `offset`, or from 0 where the server does not do ranges."""
        async with self.get(url, offset) as response:
            begins = _first_byte(response) if response.status == 206 else 0
            yield Body(begins, _chunks(response))

    async def _last_hop(self, url: URL, offset: int, method: str) -> aiohttp.ClientResponse:
        for _ in range(MOST_REDIRECTS + 1):
            self._check(url)
            headers = self._headers_for(url) | {"accept-encoding": "identity"}
            if offset:
                headers["range"] = f"bytes={offset}-"
            response = await self._session.request(method, url, headers=headers, allow_redirects=False)
            if response.status not in REDIRECTS:
                return response
            target = response.headers.get("location", "")
            response.release()
            url = url.join(URL(target))
        raise EngineStartError(ExitCode.NOT_FOUND, f"{url.host} redirected more than {MOST_REDIRECTS} times.")


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_chunked(READ_BYTES):
            yield chunk
    except BROKEN as error:
        raise TransferBrokenError(f"{response.url.host}: {error or type(error).__name__}") from error


def _first_byte(response: aiohttp.ClientResponse) -> int:
    first = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
    if not first.isdigit():
        raise TransferBrokenError(f"{response.url.host} answered 206 without saying which bytes")
    return int(first)


def _check_status(response: aiohttp.ClientResponse, url: URL) -> None:
    status, where = response.status, f"{url.host}{url.path}"
    if status in {401, 403}:
        raise EngineStartError(
            ExitCode.UNAUTHORIZED, f"{where} answered {status}: check the credential in spec.model.secretName."
        )
    if status in {404, 410}:
        raise EngineStartError(ExitCode.NOT_FOUND, f"{where} does not exist (status {status}): check the reference.")
    # A part of a file that has shrunk or changed since: begin again.
    if status >= 400:
        raise TransferBrokenError(f"{where} answered {status}")
