"""What the generated operations stand on: a call becomes an answer, and a list its items."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import httpx

from mizzen_client.calls import Call
from mizzen_client.transport import AsyncTransport, Transport


class Sending:
    """Sends and waits."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def _send(self, call: Call) -> Any:
        return _read(self.transport.send(call))

    def _items(self, call: Call) -> Iterator[Any]:
        token = ""
        while True:
            page = self._send(_page(call, token))
            yield from page["items"]
            if not (token := page.get("next_page_token", "")):
                return


class AsyncSending:
    """Sends and is awaited."""

    def __init__(self, transport: AsyncTransport) -> None:
        self.transport = transport

    async def _send(self, call: Call) -> Any:
        return _read(await self.transport.send(call))

    async def _items(self, call: Call) -> AsyncIterator[Any]:
        token = ""
        while True:
            page = await self._send(_page(call, token))
            for item in page["items"]:
                yield item
            if not (token := page.get("next_page_token", "")):
                return


def _page(call: Call, token: str) -> Call:
    return replace(call, query={**call.query, "page_token": token or None})


def _read(response: httpx.Response) -> Any:
    """JSON as what it holds, other answers as text, none as None."""
    if not response.content:
        return None
    kind = response.headers.get("content-type", "").partition(";")[0]
    return response.json() if kind.endswith("json") else response.text
