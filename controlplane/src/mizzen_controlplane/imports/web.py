"""How is something asked of a server outside? Through the proxy alone; each redirect is a request of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp
import orjson

from mizzen_controlplane.egress.proxy import WayOut
from mizzen_controlplane.imports.origin import BrokenOffError
from mizzen_controlplane.kit.problem import Invalid
from mizzen_controlplane.operations.work import TryLaterError

MOST_REDIRECTS: Final = 5
MOST_ANSWER_BYTES: Final = 16 << 20
"""Of a list or a manifest."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
WAIT = timedelta(seconds=15)
Authorize = Callable[[str], Mapping[str, str]]
"""URL -> the headers that show who asks; none for any host but the one that a credential was stored for."""


def nobody(_url: str) -> Mapping[str, str]:
    """No credential."""
    return {}


class Web:
    """Requests of one transfer."""

    def __init__(self, session: aiohttp.ClientSession, way: WayOut, authorize: Authorize = nobody) -> None:
        self._session, self._way = session, way
        self.authorize = authorize

    @asynccontextmanager
    async def asked(
        self, url: str, headers: Mapping[str, str] | None = None, *, fine: frozenset[int] = frozenset({200})
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to GET, after redirects; raises Invalid, or TryLaterError, for a status that is not `fine`."""
        at = url
        for _ in range(MOST_REDIRECTS + 1):
            response = await self._sent(at, {**(headers or {}), **self.authorize(at)})
            try:
                if response.status not in _REDIRECTS or "Location" not in response.headers:
                    self._check(response, at, fine)
                    yield response
                    return
                at = urljoin(at, response.headers["Location"])
            finally:
                response.close()
            if urlsplit(at).scheme not in ("http", "https"):
                raise Invalid(f"{host_of(url)} leads to {at[:64]!r}, which is no web address.", code="origin_refused")
        raise Invalid(f"{host_of(url)} redirects more than {MOST_REDIRECTS} times.", code="origin_refused")

    async def json(self, url: str, headers: Mapping[str, str] | None = None) -> tuple[Any, Mapping[str, str]]:
        """A document, and the headers that came with it; raises Invalid where it is none or too large."""
        _, content, told = await self.document(url, headers)
        try:
            return orjson.loads(content), told
        except orjson.JSONDecodeError as error:
            raise Invalid(f"{host_of(url)} answers with no JSON: check the source.", code="origin_refused") from error

    async def document(
        self, url: str, headers: Mapping[str, str] | None = None, *, fine: frozenset[int] = frozenset({200})
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers of an answer of at most 16 MiB; raises as `asked` does."""
        async with self.asked(url, headers, fine=fine) as response:
            content = b""
            async for chunk in pieces(response, url):
                content += chunk
                if len(content) > MOST_ANSWER_BYTES:
                    raise Invalid(f"{host_of(url)} answers with more than 16 MiB.", code="origin_refused")
            return response.status, content, response.headers

    async def _sent(self, url: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        try:
            return await self._session.get(url, headers=dict(headers), proxy=self._way.proxy_url, allow_redirects=False)
        except aiohttp.ClientHttpProxyError as error:
            raise self._refused(url, error.headers.get("X-Mizzen-Refused", "") if error.headers else "") from error
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError) as error:
            raise Invalid(
                f"The certificate of {host_of(url)} is not one that is trusted here (SSL_CERT_FILE).",
                code="origin_untrusted",
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TryLaterError(
                f"{host_of(url)} does not answer ({type(error).__name__}).", WAIT, "origin_away"
            ) from error
        except ValueError as error:
            raise Invalid(f"{url[:200]!r} is no web address.", code="origin_refused") from error

    def _refused(self, url: str, code: str) -> Exception:
        detail = self._way.last_refusal or f"{host_of(url)} may not be reached."
        return TryLaterError(detail, WAIT, "origin_away") if code == "unreachable" else Invalid(detail, code=code)

    def _check(self, response: aiohttp.ClientResponse, url: str, fine: frozenset[int]) -> None:
        status, host = response.status, host_of(url)
        if status in fine:
            return
        if urlsplit(url).scheme == "http" and (code := response.headers.get("X-Mizzen-Refused", "")):
            raise self._refused(url, code)
        if status in _LATER:
            raise TryLaterError(
                f"{host} answered {status}.", _wait(response.headers.get("Retry-After", "")), "origin_away"
            )
        if status in (401, 403):
            raise Invalid(f"{host} answered {status}: {self._why_denied(url)}", code="origin_denied")
        if status in (404, 410):
            raise Invalid(f"{host} has nothing there ({status}). Check the source.", code="origin_not_found")
        raise Invalid(f"{host} answered {status}.", code="origin_refused")

    def _why_denied(self, url: str) -> str:
        if self.authorize(url):
            return "the credential that it was shown does not open this. Replace its secret, or name another one."
        return (
            "it wants to know who asks. Store a credential for this host (`mizzen import-credentials create`) and name "
            "it: `credential`."
        )


def host_of(url: str) -> str:
    """`host:port`, which may be told to people; a path or query may hold secrets."""
    return urlsplit(url).netloc.rpartition("@")[2]


async def pieces(response: aiohttp.ClientResponse, url: str) -> AsyncIterator[bytes]:
    """The body as it comes; raises BrokenOffError."""
    try:
        async for chunk in response.content.iter_chunked(1 << 20):
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError, asyncio.IncompleteReadError) as error:
        raise BrokenOffError(f"{host_of(url)} stopped sending ({type(error).__name__})") from error


def _wait(told: str) -> timedelta:
    return timedelta(seconds=min(int(told), 600)) if told.isdecimal() and len(told) < 6 else WAIT


@asynccontextmanager
async def web_of(way: WayOut, authorize: Authorize = nobody) -> AsyncIterator[Web]:
    """Requests through `way`; nothing of the environment's proxies or netrc counts, and no cookie is kept."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=120)
    async with aiohttp.ClientSession(
        timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "mizzen"},
        connector=aiohttp.TCPConnector(force_close=True),
    ) as session:  # fmt: skip
        yield Web(session, way, authorize)
