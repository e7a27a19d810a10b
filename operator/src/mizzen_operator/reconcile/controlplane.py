"""How does the operator ask the control plane? One client for all questions, which remembers that nobody answers."""

import asyncio
import ssl
from pathlib import Path
from typing import Final

import aiohttp
import orjson

AWAY_SECONDS: Final = 2.0
"""After a failure nobody asks for so long: passes do not queue up behind a server that does not answer."""
Body = dict[str, object]


class ControlPlaneAwayError(Exception):
    """The control plane does not answer, or not as it should."""


class ControlPlane:
    """The control plane, as the operator's service account reaches it."""

    def __init__(self, url: str, token_file: Path | None, ca: Path | None = None) -> None:
        """`ca`: PEM file with the authority of its certificate; None for those that the system trusts."""
        self._url = url.rstrip("/")
        self._token_file = token_file
        self._ca = ca
        self._ca_seen = 0
        self._session: aiohttp.ClientSession | None = None
        self._away_until = 0.0
        self._away_words = ""

    async def close(self) -> None:
        """Close connections."""
        if self._session:
            await self._session.close()

    async def get(self, path: str, params: dict[str, str]) -> tuple[int, Body]:
        """Return status and body of an answer; raises ControlPlaneAwayError.

        Only silence and a server in trouble are remembered: what one question's answer lacks says nothing of others.
        """
        if not self._url:
            raise ControlPlaneAwayError("no control plane is configured (MIZZEN_CONTROLPLANE_URL)")
        if asyncio.get_running_loop().time() < self._away_until:
            raise ControlPlaneAwayError(self._away_words)
        try:
            status, body = await self._get(path, params)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._gone(f"the control plane does not answer ({error or type(error).__name__})") from error
        if status >= 500:
            raise self._gone(words_of(status, body))
        return status, body

    def _gone(self, words: str) -> ControlPlaneAwayError:
        """Remember, and return as an error, that it does not answer as it should."""
        self._away_until = asyncio.get_running_loop().time() + AWAY_SECONDS
        self._away_words = words
        return ControlPlaneAwayError(words)

    async def _get(self, path: str, params: dict[str, str]) -> tuple[int, Body]:
        headers = {"Authorization": f"Bearer {self._token_file.read_text().strip()}"} if self._token_file else {}
        session = await self._connections()
        async with session.get(f"{self._url}/{path}", params=params, headers=headers) as answer:
            content = await answer.read()
        body = orjson.loads(content) if content else {}
        return answer.status, body if isinstance(body, dict) else {}

    async def _connections(self) -> aiohttp.ClientSession:
        """Begun anew when the file of the authority has changed; raises OSError for one that is no such file."""
        seen = self._ca.stat().st_mtime_ns if self._ca is not None else 0
        if self._session is not None and seen == self._ca_seen:
            return self._session
        trusted = ssl.create_default_context(cafile=str(self._ca)) if self._ca is not None else True
        limits, before = aiohttp.ClientTimeout(total=5, connect=2), self._session
        session = aiohttp.ClientSession(timeout=limits, connector=aiohttp.TCPConnector(ssl=trusted))
        self._session, self._ca_seen = session, seen
        if before is not None:
            await before.close()
        return session


def words_of(status: int, body: Body) -> str:
    """Return what an answer that is an error says, for people."""
    detail = str(body.get("detail") or body.get("title") or status)
    return f"the control plane answered {status}: {detail[:300]}"
