"""Tensors through a real gateway, with an unmodified tritonclient and by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import numpy as np
import orjson
import pytest
import tritonclient.http as triton
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, ScriptedEngine, scripted_engine
from support.tensor_engine import tensor_engine

KEY = make_key()
Answer = TypeVar("Answer")


@pytest.fixture(params=["double", "alias"])
def asked(request: pytest.FixtureRequest) -> str:
    """The name that callers use."""
    return str(request.param)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[tuple[RunningGateway, ScriptedEngine]]:
    async with scripted_engine(tensor_engine()) as engine:
        endpoints = endpoint_set("double", engine.address, protocol="OpenInference", engine="Triton")
        objects = [model_deployment("double", aliases=["alias"]), endpoints]
        async with running_gateway(tmp_path, make_snapshot([KEY]), *objects) as gateway:
            yield gateway, engine


async def with_triton(gateway: RunningGateway, use: Callable[[triton.InferenceServerClient], Answer]) -> Answer:
    """Use a client that blocks, beside the loop. It is made and closed where it is used: gevent wants that."""

    def work() -> Answer:
        client = triton.InferenceServerClient(gateway.url.removeprefix("http://"))
        try:
            return use(client)
        finally:
            client.close()

    return await asyncio.to_thread(work)


def matrix(binary: bool) -> tuple[list[triton.InferInput], list[triton.InferRequestedOutput]]:
    given = triton.InferInput("x", [1, 2], "FP32")
    given.set_data_from_numpy(np.array([[1.5, -2.0]], dtype=np.float32), binary_data=binary)
    return [given], [triton.InferRequestedOutput("y", binary_data=binary)]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("coding", [None, "gzip", "deflate"])
async def test_tritonclient_gets_its_tensors(
    running: tuple[RunningGateway, ScriptedEngine], asked: str, binary: bool, coding: str | None
) -> None:
    gateway, _engine = running
    inputs, outputs = matrix(binary)

    def infer(client: triton.InferenceServerClient) -> Any:
        return client.infer(
            asked,
            inputs,
            outputs=outputs,
            headers=KEY.headers,
            request_compression_algorithm=coding,
            response_compression_algorithm=coding,
        )

    result = await with_triton(gateway, infer)
    assert result.as_numpy("y").tolist() == [[3.0, -4.0]]
    assert result.get_response()["model_name"] == asked
    (row,) = gateway.rows()
    assert (row["operation"], row["model"], row["answered"]) == ("infer", "double", True)


async def test_tritonclient_learns_what_a_model_takes(
    running: tuple[RunningGateway, ScriptedEngine], asked: str
) -> None:
    gateway, engine = running
    live = await with_triton(gateway, lambda client: client.is_server_live() and client.is_server_ready())
    ready = await with_triton(gateway, lambda client: client.is_model_ready(asked, headers=KEY.headers))
    metadata = await with_triton(gateway, lambda client: client.get_model_metadata(asked, headers=KEY.headers))
    assert live is True
    assert ready is True
    assert (metadata["name"], metadata["inputs"][0]["datatype"]) == (asked, "FP32")
    await with_triton(gateway, lambda client: client.get_model_metadata(asked, headers=KEY.headers))
    assert len(engine.exchanges) == 2, "metadata and configuration are asked once for each revision"


def tensor(**more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.0], **more}]}


def text(data: list[Any]) -> dict[str, Any]:
    return {"name": "text", "datatype": "BYTES", "shape": [1, 1], "data": data}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, ["inputs", "at least one"]),
        (tensor(name="z"), ["Input 'z'", "unknown", "'x' (FP32"]),
        (tensor(datatype="INT64"), ["Input 'x'", "INT64", "FP32"]),
        (tensor(shape=[1, 3]), ["Input 'x'", "[1, 3]", "[-1, 2]"]),
        (tensor(shape=[2]), ["Input 'x'", "[2]", "[-1, 2]"]),
        (tensor(shape=[5, 2], data=[0.0] * 10), ["batch of 5", "limit of 4"]),
        (tensor(data=[1.0]), ["1 elements", "has 2"]),
        (tensor(data=[[1.0], [2.0], [3.0]]), ["3 elements", "has 2"]),
        (tensor(data=[[1.0], 2.0]), ["Input 'x'", "mixes elements and lists"]),
        (tensor(data=["1.0", 2.0]), ["Input 'x'", "FP32", "numbers"]),
        (tensor(data=[True, 2.0]), ["Input 'x'", "FP32", "numbers"]),
        ({"inputs": [*tensor()["inputs"], text([5])]}, ["Input 'text'", "BYTES", "texts"]),
        ({"inputs": [*tensor()["inputs"], text([None])]}, ["Input 'text'", "BYTES", "texts"]),
        (tensor(shape=[-1, 2]), ["none negative"]),
        (tensor(data=None), ["no data"]),
        (tensor(parameters={"binary_data_size": 8}, data=None), ["0 bytes follow", "adds up to 8"]),
        ({**tensor(), "outputs": [{"name": "q"}]}, ["Output 'q'", "'y'"]),
        ({"inputs": [*tensor()["inputs"], *tensor()["inputs"]]}, ["given twice"]),
        ({"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1, 1], "data": ["a"]}]}, ["'x'", "missing"]),
    ],
)
async def test_a_wrong_tensor_is_refused_with_its_name_limit_and_remedy(
    running: tuple[RunningGateway, ScriptedEngine], body: dict[str, Any], words: list[str]
) -> None:
    gateway, engine = running
    async with (
        aiohttp.ClientSession(headers=KEY.headers) as session,
        session.post(gateway.url + "/v2/models/double/infer", json=body) as response,
    ):
        document = await response.json()
        assert response.status == 400
    assert set(document) == {"error"}
    assert all(word in document["error"] for word in words), document
    assert not [one for one in engine.exchanges if one.path.endswith("/infer")]
    assert gateway.rows() == []


BAD = b'[{"name":"x","datatype":"FP32","shape":[1,3],"data":[1,2,3]}]'
GOOD = b'[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]'


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs":' + BAD + b',"inputs":' + GOOD + b"}",
        b'{"inputs":' + BAD + b',"\\u0069nputs":' + GOOD + b"}",
        b'{"inputs":[{"name":"x","datatype":"FP32","shape":[9,2],"shape":[1,2],"data":[5],"data":[1,2]}]}',
        b'{"parameters":{"priority":1},"parameters":{},"inputs":' + GOOD + b"}",
    ],
)
async def test_of_a_key_that_comes_twice_the_engine_sees_what_was_checked(
    running: tuple[RunningGateway, ScriptedEngine], body: bytes
) -> None:
    gateway, engine = running
    async with (
        aiohttp.ClientSession(headers=KEY.headers) as session,
        session.post(gateway.url + "/v2/models/double/infer", data=body) as response,
    ):
        assert response.status == 200, await response.text()
    (sent,) = [one.body for one in engine.exchanges if one.path.endswith("/infer")]
    assert all(sent.count(key) == 1 for key in (b'"inputs"', b'"shape"', b'"data"'))
    assert orjson.loads(sent)["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]
    assert b"priority" not in sent


@pytest.mark.parametrize("verb", ["", "/ready", "/infer"])
async def test_a_version_that_the_engine_does_not_serve_is_not_found(
    running: tuple[RunningGateway, ScriptedEngine], verb: str
) -> None:
    gateway, engine = running
    ask = {"method": "POST", "json": tensor()} if verb == "/infer" else {"method": "GET"}
    async with aiohttp.ClientSession(headers=KEY.headers) as session:
        async with session.request(url=f"{gateway.url}/v2/models/double/versions/2{verb}", **ask) as response:
            assert response.status == 404
            assert "Version '2'" in (await response.json())["error"]
        async with session.request(url=f"{gateway.url}/v2/models/double/versions/1{verb}", **ask) as response:
            assert response.status == 200
    assert not any("versions/2" in one.path for one in engine.exchanges)


async def test_an_unknown_model_comes_before_what_is_wrong_with_the_body(
    running: tuple[RunningGateway, ScriptedEngine],
) -> None:
    gateway, _engine = running
    async with (
        aiohttp.ClientSession(headers=KEY.headers) as session,
        session.post(gateway.url + "/v2/models/nobody/infer", json={"inputs": []}) as response,
    ):
        assert response.status == 404
        assert "'nobody' does not exist" in (await response.json())["error"]


@pytest.mark.parametrize("status", [500, 501, 502, 504])
async def test_errors_that_one_caller_provokes_do_not_take_the_endpoint_from_others(
    tmp_path: Path, status: int
) -> None:
    well = tensor_engine()

    async def behave(exchange: Exchange) -> None:
        if b"666" in exchange.body:
            await exchange.send_json({"error": "SECRET"}, status)
        else:
            await well(exchange)

    async with scripted_engine(behave) as engine:
        endpoints = endpoint_set("double", engine.address, protocol="OpenInference", engine="Triton")
        async with (
            running_gateway(tmp_path, make_snapshot([KEY]), model_deployment("double"), endpoints) as gateway,
            aiohttp.ClientSession(headers=KEY.headers) as session,
        ):
            url = gateway.url + "/v2/models/double/infer"
            for _ in range(12):
                async with session.post(url, json=tensor(data=[666.0, 0.0])) as response:
                    assert response.status == 502
                async with session.post(url, json=tensor()) as response:
                    assert response.status == 200
            state = gateway.gateway.table.target(("default", "double")).choose(0.0)
            assert state is not None
            assert state.ejected_until == 0.0


@pytest.mark.parametrize(
    ("path", "rest", "status"),
    [
        (path, rest, status)
        for path in (b"/v2/models/double/infer", b"/v1/completions")
        for rest, status in (
            (b"Content-Length: 99999999999\r\n\r\n", 413),
            (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            (b"A b: c\r\n\r\n", 400),
            (b"Expect: nothing\r\n\r\n", 417),
            (b"A: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        )
    ],
)
async def test_a_request_that_cannot_be_read_is_refused_in_the_words_of_its_protocol(
    running: tuple[RunningGateway, ScriptedEngine], path: bytes, rest: bytes, status: int
) -> None:
    gateway, _engine = running
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.gateway.port)
    try:
        key = KEY.headers["Authorization"].encode()
        writer.write(b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nAuthorization: " + key + b"\r\n" + rest)
        async with asyncio.timeout(10):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    assert int(head.split(b" ")[1]) == status
    error = orjson.loads(body)["error"]
    said = error if path.startswith(b"/v2") else error["message"]
    assert isinstance(said, str)
    assert ";" in said


async def test_too_many_bytes_for_a_shape_are_refused(running: tuple[RunningGateway, ScriptedEngine]) -> None:
    gateway, _engine = running
    header = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":12}}]}'
    headers = {**KEY.headers, "Inference-Header-Content-Length": str(len(header))}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(gateway.url + "/v2/models/double/infer", data=header + b"x" * 12) as response,
    ):
        assert response.status == 400
        assert "12 bytes, but shape [1, 2] of FP32 takes 8" in (await response.json())["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v2/repository/index", 403),
        ("POST", "/v2/repository/models/double/load", 403),
        ("GET", "/v2/systemsharedmemory/status", 403),
        ("POST", "/v2/cudasharedmemory/region/a/register", 403),
        ("GET", "/v2/trace/setting", 403),
        ("GET", "/v2/models/double/trace/setting", 403),
        ("POST", "/v2/logging", 403),
        ("GET", "/v2/models/double/config", 403),
        ("GET", "/v2/models/double/stats", 403),
        ("GET", "/v2/models/nobody", 404),
        ("GET", "/v2/models/double/infer", 405),
        ("GET", "/v2/nothing", 404),
    ],
)
async def test_calls_that_are_not_offered_are_refused_with_a_sentence(
    running: tuple[RunningGateway, ScriptedEngine], method: str, path: str, status: int
) -> None:
    gateway, engine = running
    async with (
        aiohttp.ClientSession(headers=KEY.headers) as session,
        session.request(method, gateway.url + path) as response,
    ):
        assert response.status == status
        assert len((await response.json())["error"]) > 20
    assert engine.exchanges == []


async def test_checking_tensors_leaves_the_shares_of_revisions_alone(tmp_path: Path) -> None:
    async with scripted_engine(tensor_engine()) as one, scripted_engine(tensor_engine()) as two:
        endpoints = endpoint_set("double", one.address, two.address, protocol="OpenInference", engine="Triton")
        endpoints["spec"]["endpoints"][1]["revision"] = "r2"
        endpoints["spec"]["traffic"] = {"r1": 50, "r2": 50}
        async with (
            running_gateway(tmp_path, make_snapshot([KEY]), model_deployment("double"), endpoints) as gateway,
            aiohttp.ClientSession(headers=KEY.headers) as session,
        ):
            for _ in range(10):
                async with session.post(gateway.url + "/v2/models/double/infer", json=tensor()) as response:
                    assert response.status == 200, await response.text()
        asked = [sum(one.path.endswith("/infer") for one in engine.exchanges) for engine in (one, two)]
    assert asked == [5, 5]


async def test_a_model_whose_description_is_not_as_the_protocol_has_it_answers_all_the_same(tmp_path: Path) -> None:
    good = tensor_engine()

    async def vague(exchange: Exchange) -> None:
        if exchange.path == "/v2/models/double":
            await exchange.send_json({"name": "double", "inputs": [{"name": "x", "datatype": "FP32"}], "outputs": None})
        else:
            await good(exchange)

    async with scripted_engine(vague) as engine:
        endpoints = endpoint_set("double", engine.address, protocol="OpenInference", engine="Other")
        body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
        async with (
            running_gateway(tmp_path, make_snapshot([KEY]), model_deployment("double"), endpoints) as gateway,
            aiohttp.ClientSession(headers=KEY.headers) as session,
            session.post(f"{gateway.url}/v2/models/double/infer", json=body) as answer,
        ):
            assert (answer.status, (await answer.json())["outputs"][0]["data"]) == (200, [2.0, 4.0])
