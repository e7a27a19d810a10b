"""Who answers for `/v1/files` and `/v1/batches`? The control plane, through this gateway, for the project of a key."""

import asyncio
from collections import Counter
from urllib.parse import parse_qsl

import aiohttp

from mizzen_gateway.batches.asked import batch_asked
from mizzen_gateway.batches.keeper import Keeper, RefusedError
from mizzen_gateway.batches.upload import upload
from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.protocols.surface import Route
from mizzen_gateway.stages import Caller, Refusal
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder

JSON = (("content-type", "application/json"),)
AT_ONCE, AT_ONCE_EACH = 32, 8
"""Calls that are passed on at once, and of them those of one project."""
PASSED = frozenset({"after", "limit", "order", "purpose"})
PATHS = {
    "files.list": ("GET", "files"),
    "files.get": ("GET", "files/{}"),
    "files.delete": ("DELETE", "files/{}"),
    "batches.list": ("GET", "batches"),
    "batches.get": ("GET", "batches/{}"),
    "batches.cancel": ("POST", "batches/{}:cancel"),
}
"""Method and path at the control plane, of what is passed on as it is."""


class Desk:
    """Passes calls on."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        """As of Keeper."""
        self._keeper = Keeper(session, base_url)
        self._under_way: Counter[str] = Counter()

    async def answer(self, route: Route, caller: Caller, request: Request, responder: Responder) -> Refusal | None:
        """Answer it, or say why not."""
        held = self._under_way
        if held.total() >= AT_ONCE or held[caller.project_id] >= AT_ONCE_EACH:
            message = f"Files and batches: more than {AT_ONCE_EACH} calls of a project at once; try again in 1 s."
            return Refusal(429, "too_many_concurrent_requests", message, (("retry-after", "1"),))
        held[caller.project_id] += 1
        try:
            return await self._answer(route, caller, request, responder)
        except RefusedError as problem:
            return problem.refusal
        finally:
            held[caller.project_id] -= 1
            if not held[caller.project_id]:
                del held[caller.project_id]

    async def _answer(self, route: Route, caller: Caller, request: Request, responder: Responder) -> Refusal | None:
        if route.action == "files.content":
            return await self._content(route.model, caller, responder)
        made: bytes | Refusal
        if route.action == "files.create":
            made = await upload(self._keeper, caller, request)
        elif route.action == "batches.create":
            body = batch_asked(request.body)
            if isinstance(body, Refusal):
                return body
            made = await self._keeper.ask("POST", "batches", caller, body=body)
        else:
            method, path = PATHS[route.action]
            query = asked(request.target)
            if isinstance(query, Refusal):
                return query
            made = await self._keeper.ask(method, path.format(route.model), caller, query=query)
        if isinstance(made, Refusal):
            return made
        responder.send(200, JSON, made)
        return None

    async def _content(self, file_id: str, caller: Caller, responder: Responder) -> Refusal | None:
        async with self._keeper.opened(f"files/{file_id}/content", caller) as content:
            size = content.headers.get("content-length", "")
            gate = Gate()
            responder.source = gate
            try:
                responder.start(200, (("content-type", "application/jsonl"), ("x-content-bytes", size)))
                async for data in content.content.iter_any():
                    responder.write(data)
                    await gate.open.wait()
            except (aiohttp.ClientError, TimeoutError, OSError):
                responder.break_off()
                return None
            finally:
                responder.source = None
            responder.finish()
        return None


class Gate:
    """A `Source`: closed while the caller does not read."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    def pause(self) -> None:
        """Stop."""
        self.open.clear()

    def resume(self) -> None:
        """Go on."""
        self.open.set()


def asked(target: bytes) -> dict[str, str] | Refusal:
    """The query of a list; other parameters are refused by name."""
    pairs = parse_qsl(target.partition(b"?")[2].decode("latin-1"), keep_blank_values=True)
    found = dict(pairs)
    unknown = next((name for name in found if name not in PASSED), None)
    if unknown is not None:
        shown = unknown[:100]
        return invalid(shown, f"{shown}: not a parameter of this call; leave it out.", "parameter_not_allowed")
    if len(found) < len(pairs):
        return invalid("query", "Query: a parameter came twice; send it once.", "duplicate_key")
    if not found.get("limit", "1").isdigit() or len(found.get("limit", "")) > 6:
        return invalid("limit", "limit: must be a whole number.")
    return found
