"""A gateway that goes by a file, in the test's own event loop: no control plane, no feeds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from mizzen_gateway.standalone.keys import FreshKey, fresh_key
from mizzen_gateway.standalone.settings import settings_of
from mizzen_gateway.wiring import Gateway
from support.free_ports import free_port

Document = dict[str, Any]


def a_key() -> tuple[FreshKey, Document]:
    """A key, and its entry in a file."""
    made = fresh_key(b"")
    return made, {"name": "laptop", "id": made.id, "digest": made.digest}


def a_file(url: str, *keys: Document, **more: Any) -> Document:
    """One upstream, one model `small`, one project `team-a`; `more` replaces fields of the file."""
    return {
        "listen": {"port": free_port(), "admin_port": free_port()},
        "upstreams": [{"name": "local", "url": url}],
        "models": [{"name": "small", "upstreams": ["local"], "upstream_name": "inner"}],
        "projects": [{"name": "team-a", "keys": list(keys)}],
        "timeouts": {"drain": 1},
        **more,
    }


@dataclass
class Alone:
    """A gateway that listens, and its file."""

    gateway: Gateway
    path: Path

    @property
    def url(self) -> str:
        """Where callers go."""
        return f"http://127.0.0.1:{self.gateway.port}"

    async def write(self, document: Document) -> None:
        """Change the file, and wait until it was looked at."""
        write_file(self.path, document)
        reading = self.gateway.read_again()
        assert reading is not None, "it goes by a file"
        await reading


def write_file(path: Path, document: Document) -> Path:
    """The file."""
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


@asynccontextmanager
async def alone(folder: Path, document: Document) -> AsyncIterator[Alone]:
    """Start one; stop it at the end, its usage shipped."""
    path = write_file(folder / "gateway.yaml", document)
    async with aiohttp.ClientSession() as session:
        gateway = Gateway(settings_of(path), session)
        await gateway.start()
        try:
            yield Alone(gateway, path)
        finally:
            await gateway.stop()


async def ask(url: str, key: FreshKey, model: str = "small", **more: Any) -> tuple[int, Document]:
    """One chat; status and body."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    headers = {"Authorization": f"Bearer {key.text}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()
