"""How does a gateway get batches to run, and where do results go? From and to the control plane, which keeps both."""

from collections.abc import Sequence
from typing import TypeVar

import aiohttp
import orjson
from mizzen_crds.kept_batches import BatchLines, BatchOrder, BatchWork, LineResult
from pydantic import ValidationError

CALL_SECONDS = 20.0
Told = TypeVar("Told", BatchWork, BatchLines, BatchOrder)


class PlaneAwayError(Exception):
    """The control plane did not answer as it should."""


class BatchPlane:
    """The control plane, as the holder of batches."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, holder: str) -> None:
        """`session` carries the gateway's token; `holder` is this process's name."""
        self._session = session
        self._url = f"{base_url}/internal/v1/batches"
        self._holder = holder

    async def lease(self, running: Sequence[str]) -> BatchWork | None:
        """A batch to run beside those that run already; None for none. Raises PlaneAwayError."""
        body = await self._ask("POST", ":lease", {"holder": self._holder, "running": list(running)})
        return _read(BatchWork, body) if body else None

    async def lines(self, batch_id: str, after: int) -> BatchLines:
        """Open lines behind `after`. Raises PlaneAwayError."""
        return _read(BatchLines, await self._ask("GET", f"/{batch_id}/lines?after={after}"))

    async def hand_in(self, batch_id: str, results: Sequence[LineResult], *, release: bool = False) -> BatchOrder:
        """Have results kept, and the lease renewed or ended. Raises PlaneAwayError."""
        told = [result.model_dump() for result in results]
        body = {"holder": self._holder, "results": told, "release": release}
        return _read(BatchOrder, await self._ask("POST", f"/{batch_id}/results", body))

    async def _ask(self, method: str, path: str, body: dict[str, object] | None = None) -> bytes:
        raw = None if body is None else orjson.dumps(body)
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
        headers = {"content-type": "application/json"}
        try:
            async with self._session.request(
                method, self._url + path, data=raw, headers=headers, timeout=timeout
            ) as answer:
                answer.raise_for_status()
                return await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PlaneAwayError(type(error).__name__) from error


def _read(kind: type[Told], body: bytes) -> Told:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise PlaneAwayError("ValidationError") from error
