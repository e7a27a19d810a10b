"""What a caller cannot learn: whether another tenant has a model; what a gateway keeps: no key, only its digest."""

import gc
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, completion, scripted_engine

OURS, THEIRS = make_key("default"), make_key("other")
SNAPSHOT = make_snapshot([OURS, THEIRS], projects=("default", "other"))
TENSORS = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}


async def well(exchange: Exchange) -> None:
    await exchange.send_json(completion("secret"))


async def told(session: aiohttp.ClientSession, url: str, method: str, body: dict[str, Any] | None) -> tuple[Any, ...]:
    """Everything of an answer that a caller sees, but for the date."""
    async with session.request(method, url, json=body) as answer:
        headers = {name.lower(): value for name, value in answer.headers.items() if name.lower() != "date"}
        return answer.status, headers, await answer.read()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/chat/completions", {"model": "NAME", "messages": [{"role": "user", "content": "x"}]}),
        ("POST", "/v1/completions", {"model": "NAME", "prompt": "x"}),
        ("POST", "/v1/embeddings", {"model": "other/NAME", "input": "x"}),
        ("GET", "/v1/models/NAME", None),
        ("GET", "/v1/models/other/NAME", None),
        ("GET", "/v2/models/NAME", None),
        ("GET", "/v2/models/other%2FNAME/ready", None),
        ("POST", "/v2/models/NAME/infer", TENSORS),
        ("POST", "/v2/models/NAME/infer", {"inputs": "wrong"}),
    ],
)
async def test_another_tenants_model_is_one_that_does_not_exist(
    tmp_path: Path, method: str, path: str, body: dict[str, Any] | None
) -> None:
    async with scripted_engine(well) as engine:
        theirs = model_deployment("secret", "other"), endpoint_set("secret", engine.address, namespace="other")
        async with running_gateway(tmp_path, SNAPSHOT, *theirs) as running:
            async with aiohttp.ClientSession(headers=OURS.headers) as session:
                seen = []
                for name in ("secret", "absent"):
                    filled = None if body is None else {k: _named(v, name) for k, v in body.items()}
                    url = running.url + path.replace("NAME", name)
                    status, headers, said = await told(session, url, method, filled)
                    seen.append((status, headers, said.replace(name.encode(), b"NAME")))
            assert seen[0] == seen[1]
            assert seen[0][0] == 404
            assert engine.exchanges == []


def _named(value: Any, name: str) -> Any:
    return value.replace("NAME", name) if isinstance(value, str) else value


def reachable_from(root: object) -> list[bytes | str]:
    """Every text that a gateway's objects hold, directly or not; modules and types lead everywhere and are left out."""
    seen: set[int] = set()
    texts: list[bytes | str] = []
    waiting: list[object] = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type) or type(one).__name__ in {"module", "function", "code", "frame"}:
            continue
        seen.add(id(one))
        if isinstance(one, bytes | str):
            texts.append(one)
        else:
            waiting.extend(gc.get_referents(one))
    return texts


def holding(running: RunningGateway, words: str) -> list[bytes | str]:
    """The texts of a gateway that contain these words."""
    found = reachable_from(running.gateway)
    assert any(OURS.access.id in text for text in found if isinstance(text, str)), "the search finds what is there"
    return [text for text in found if (words.encode() if isinstance(text, bytes) else words) in text]  # type: ignore[operator]  # of one kind


async def test_a_gateway_keeps_no_key_only_its_digest(tmp_path: Path) -> None:
    secret = OURS.text.rpartition("_")[2]
    async with scripted_engine(well) as engine:
        documents = model_deployment("secret"), endpoint_set("secret", engine.address)
        async with (
            running_gateway(tmp_path, SNAPSHOT, *documents) as running,
            aiohttp.ClientSession(headers=OURS.headers) as session,
        ):
            url = running.url + "/v1/chat/completions"
            ask = {"model": "secret", "messages": [{"role": "user", "content": "x"}]}
            assert (await told(session, url, "POST", ask))[0] == 200
            assert (await told(session, url, "POST", {**ask, "n": 0}))[0] == 400
            assert holding(running, secret) == []
