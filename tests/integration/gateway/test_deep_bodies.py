"""A body that is too deep is its caller's fault, whichever field it is in: no engine and no rollout hears of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import ScriptedEngine, scripted_engine
from support.tensor_engine import tensor_engine

KEY = make_key()
CHAT = "/v1/chat/completions"
INFER = "/v2/models/tensors/infer"
DEEP = b"[" * 300 + b"]" * 300
FIELDS = (
    "bad_words", "allowed_token_ids", "logit_bias", "stop_token_ids", "logprob_token_ids", "stream_options", "stop",
    "metadata", "cache_salt", "user", "seed", "unheard_of",
)  # fmt: skip
TENSOR = b'"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]%b}]'


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[tuple[RunningGateway, ScriptedEngine]]:
    async with scripted_engine(tensor_engine()) as engine:
        objects = [
            model_deployment("chat"),
            endpoint_set("chat", engine.address),
            model_deployment("tensors"),
            endpoint_set("tensors", engine.address, protocol="OpenInference", engine="Triton", model_name="double"),
        ]
        async with running_gateway(tmp_path, make_snapshot([KEY]), *objects) as gateway:
            yield gateway, engine


def bodies() -> list[tuple[str, bytes]]:
    """Path and body: a good request, but for one field."""
    chats = [
        b'{"model":"chat","stream":true,"messages":[{"role":"user","content":"hi"}],"%b":%b}'
        % (field.encode(), b'{"a":' + DEEP + b"}" if field in {"stream_options", "logit_bias"} else DEEP)
        for field in FIELDS
    ]
    tensors = [
        b'{"parameters":{"a":' + DEEP + b"}," + TENSOR % b"" + b"}",
        b"{" + TENSOR % (b',"parameters":{"a":' + DEEP + b"}") + b"}",
        b"{" + TENSOR % b"" + b',"outputs":[{"name":"y","parameters":{"a":' + DEEP + b"}}]}",
    ]
    return [(CHAT, one) for one in chats] + [(INFER, one) for one in tensors]


async def test_a_deep_body_is_refused_and_is_no_error_of_a_revision(
    running: tuple[RunningGateway, ScriptedEngine],
) -> None:
    gateway, engine = running
    async with aiohttp.ClientSession(headers=KEY.headers) as session:
        for path, body in bodies():
            async with session.post(gateway.url + path, data=body) as answer:
                assert answer.status == 400, (body[:120], await answer.read())
    assert not [one for one in engine.exchanges if one.method == "POST"]
    assert not [load for load in gateway.gateway.book.revisions() if load.errors]


async def test_a_text_full_of_brackets_is_not_deep(running: tuple[RunningGateway, ScriptedEngine]) -> None:
    gateway, engine = running
    body = {"model": "chat", "messages": [{"role": "user", "content": "[{" * 1000}]}
    async with aiohttp.ClientSession(headers=KEY.headers) as session, session.post(gateway.url + CHAT, json=body):
        pass
    assert [one.document["messages"] for one in engine.exchanges if one.path == CHAT] == [body["messages"]]
