"""Media named in lists, or by `url` beside their type: what an engine would fetch never reaches it."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.gateway import endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import scripted_engine
from support.tensor_engine import tensor_engine

KEY = make_key()
CHAT = "/v1/chat/completions"
PARTS: list[dict[str, Any]] = [
    {"type": "video", "video": ["http://169.254.169.254/a"]},
    {"type": "image", "image": ["http://10.0.0.1/"]},
    {"type": "image", "images": ["http://10.0.0.1/"]},
    {"type": "image", "url": "http://10.0.0.1/"},
    {"type": "image", "path": "/etc/passwd"},
]


@pytest.mark.parametrize("hosts", ["", "img.example.com"], ids=["no hosts", "named hosts"])
async def test_an_engine_is_not_asked_to_fetch_from_a_network(tmp_path: Path, hosts: str) -> None:
    async with scripted_engine(tensor_engine()) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        async with (
            running_gateway(tmp_path, make_snapshot([KEY]), *objects, MIZZEN_MEDIA_HOSTS=hosts) as running,
            aiohttp.ClientSession(headers=KEY.headers) as session,
        ):
            for part in PARTS:
                body = {"model": "chat", "messages": [{"role": "user", "content": [part]}]}
                async with session.post(running.url + CHAT, json=body) as answer:
                    assert (answer.status, (await answer.json())["error"]["code"]) == (400, "url_not_allowed"), part
        assert not [one for one in engine.exchanges if one.path == CHAT]
