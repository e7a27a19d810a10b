"""How a provider is asked: JSON within seconds and a size, no redirects, over TLS that its settings trust.

The settings of the installation name it, so it may have a private address; only who may set them can name another.
"""

import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from mizzen_controlplane.sign_in.openid.providers import Provider

if TYPE_CHECKING:  # most installations have no provider and need not load a client
    import aiohttp

SECONDS: Final = 10.0
MOST_BYTES: Final = 1 << 20


class ProviderError(Exception):
    """The provider does not answer, or not as it should; the text names it and is for people."""


class RefusedByProviderError(ProviderError):
    """The provider answered that it will not; `error` is its OAuth code, such as invalid_grant."""

    def __init__(self, text: str, error: str) -> None:
        super().__init__(text)
        self.error = error


class ProviderHttp:
    """Requests to one provider."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str, token: str = "") -> dict[str, Any]:
        """A document; raises ProviderError."""
        return await self._json("GET", url, headers={"Authorization": f"Bearer {token}"} if token else {})

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, Any]:
        """The answer to a form; raises RefusedByProviderError for a refusal, and ProviderError."""
        return await self._json("POST", url, data=dict(form), headers=dict(headers))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _json(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        import aiohttp

        try:
            async with self._client().request(method, url, allow_redirects=False, **options) as response:
                raw = await response.content.read(MOST_BYTES + 1)
                while len(raw) <= MOST_BYTES and (more := await response.content.read(MOST_BYTES + 1)):
                    raw += more
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ProviderError(f"{self._provider.name} does not answer ({type(error).__name__}).") from error
        return self._read(raw, status)

    def _read(self, raw: bytes, status: int) -> dict[str, Any]:
        try:
            body = orjson.loads(raw) if len(raw) <= MOST_BYTES else None
        except ValueError:
            body = None
        if 400 <= status < 500 and isinstance(body, dict) and isinstance(body.get("error"), str):
            error = body["error"][:100]
            raise RefusedByProviderError(f"{self._provider.name} refuses: {error}.", error)
        if status != 200 or not isinstance(body, dict):
            raise ProviderError(f"{self._provider.name} answers {status}, and not with a JSON object of 1 MiB at most.")
        return body

    def _client(self) -> "aiohttp.ClientSession":
        import aiohttp

        if self._session is None:
            authority = self._provider.ca_file
            context = ssl.create_default_context(cafile=str(authority) if authority is not None else None)
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=SECONDS),
                connector=aiohttp.TCPConnector(ssl=context, limit=20),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=True,
            )
        return self._session
