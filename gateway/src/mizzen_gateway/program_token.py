"""With which token does this gateway come to the control plane and to the operator? Each has a file; files rotate.

In a cluster a token is made for one program alone, lives an hour, and is replaced in its file in time.
"""

from collections.abc import Mapping
from pathlib import Path

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

AUTHORIZATION = "authorization"


class ProgramTokens:
    """Middleware of an aiohttp session: adds the token of whom a request goes to, and to nobody else."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        """`files`: a program's URL -> file with the token for it."""
        self._files = {URL(url).origin(): file for url, file in files.items()}
        self._seen: dict[Path, tuple[tuple[int, int], str]] = {}

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send `request`; OSError where a token cannot be read and never could."""
        file = self._files.get(request.url.origin())
        if file is None:
            return await handler(request)
        token = self._token(file)
        request.headers[AUTHORIZATION] = f"Bearer {token}"
        answer = await handler(request)
        if answer.status == 401:
            self._seen.pop(file, None)  # whatever its times say: read it afresh for the next request
        return answer

    def _token(self, file: Path) -> str:
        seen = self._seen.get(file)
        try:
            facts = file.stat()
            stamp = (facts.st_mtime_ns, facts.st_ino)
            if seen is None or seen[0] != stamp:
                seen = self._seen[file] = (stamp, file.read_text().strip())
        except OSError:
            if seen is None:
                raise
        return seen[1]
