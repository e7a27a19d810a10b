"""How does the gateway reach what the control plane keeps for callers? As itself, saying whose project and key it is.

What the control plane refuses is told in the words of the OpenAI API; of its troubles callers hear that there are some.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from mizzen_gateway.stages import Caller, Refusal

ANSWER_SECONDS = 30.0
SILENCE_SECONDS = 60.0
"""A content that sends no byte for so long is given up."""
UNAVAILABLE = Refusal(
    503,
    "files_unavailable",
    "Files and batches cannot be reached now; try again. If it stays, see that the control plane runs.",
    (("retry-after", "1"),),
)
TOO_OLD = Refusal(
    403, "not_offered", "Files and batches are not offered here: the control plane is of an older release."
)
PASSED_ON: Mapping[int, frozenset[str]] = {
    400: frozenset({"empty_file", "invalid_parameter"}),
    401: frozenset({"invalid_api_key"}),
    403: frozenset({"not_offered"}),
    404: frozenset({"batch_not_found", "file_not_found"}),
    409: frozenset({"batch_ended", "file_in_use", "file_incomplete"}),
    413: frozenset({"file_too_large", "files_quota_exceeded", "too_many_batches"}),
}
"""Status -> codes of the control plane that callers are told; the API's document lists them."""
OTHERWISE: Mapping[int, str] = {400: "invalid_parameter", 409: "conflict", 413: "body_too_large"}
"""Code in place of any other; without one it was about the gateway, and not about its caller."""


class RefusedError(Exception):
    """The control plane said no."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Keeper:
    """The control plane, as far as it keeps content."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        """`session` carries the gateway's token; `base_url` is without a slash at its end."""
        self._session = session
        self._url = base_url

    async def ask(
        self,
        method: str,
        path: str,
        caller: Caller,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | Mapping[str, Any] | None = None,
    ) -> bytes:
        """Body of the answer; `path` below the caller's project. Raises RefusedError."""
        raw = orjson.dumps(body) if isinstance(body, Mapping) else body
        kind = "application/json" if isinstance(body, Mapping) else "application/octet-stream"
        try:
            async with self._session.request(
                method,
                self._place(caller, path),
                params={"key_id": caller.key_id, **(query or {})},
                data=raw,
                headers={"content-type": kind} if raw is not None else None,
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            ) as response:
                answer = await response.read()
                if response.status >= 400:
                    raise RefusedError(refusal_of(response.status, answer))
                return answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RefusedError(UNAVAILABLE) from error

    @asynccontextmanager
    async def opened(self, path: str, caller: Caller) -> AsyncIterator[aiohttp.ClientResponse]:
        """A content to be read. Raises RefusedError."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=ANSWER_SECONDS, sock_read=SILENCE_SECONDS)
        try:
            async with self._session.get(
                self._place(caller, path), params={"key_id": caller.key_id}, timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise RefusedError(refusal_of(response.status, await response.read()))
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RefusedError(UNAVAILABLE) from error

    def _place(self, caller: Caller, path: str) -> str:
        return f"{self._url}/internal/v1/projects/{caller.project_id}/{path}"


def refusal_of(status: int, answer: bytes) -> Refusal:
    """What a caller is told of a problem."""
    try:
        problem = orjson.loads(answer)
        code, detail = str(problem["code"]), str(problem["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return UNAVAILABLE
    if status == 507:
        return Refusal(503, "files_unavailable", "No room is left for files.")
    status = 400 if status == 422 else status
    if code not in PASSED_ON.get(status, ()):
        if status not in OTHERWISE:
            return TOO_OLD if status == 404 else UNAVAILABLE
        code = OTHERWISE[status]
    pointers = [error.get("pointer", "") for error in problem.get("errors", ())]
    param = pointers[0].removeprefix("query:").strip("/").replace("/", ".") if pointers else None
    return Refusal(status, code, detail, param=param)
