"""Tensors too long to be held go on as they come: exact, with the caller's name of the model, before they are whole."""

import asyncio
import struct
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import orjson
import pytest
import tritonclient.http as triton
from mizzen_gateway.protocols.held_bytes import HELD
from mizzen_gateway.protocols.open_inference.answer import LONG_BYTES
from support.gateway import endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Behaviour, Exchange, scripted_engine
from support.tensor_engine import tensor_engine
from support.until import until

KEY = make_key()
LENGTH = LONG_BYTES // 4 + 100_000
"""Of the tensor, in numbers of four bytes."""
BODY = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.0]}]}


def answer(binary: bool) -> tuple[bytes, dict[str, str]]:
    """Of an engine, whose name of the model is `double`."""
    output: dict[str, Any] = {"name": "y", "datatype": "FP32", "shape": [1, LENGTH]}
    values = [float(number % 1000) for number in range(LENGTH)]
    if not binary:
        output["data"] = values
    else:
        output["parameters"] = {"binary_data_size": 4 * LENGTH}
    header = orjson.dumps({"model_name": "double", "model_version": "1", "outputs": [output]})
    if not binary:
        return header, {"content_type": "application/json"}
    tensor = struct.pack(f"<{LENGTH}f", *values)
    headers = {"content_type": "application/octet-stream", "inference_header_content_length": str(len(header))}
    return header + tensor, headers


def the_numbers(body: bytes, headers: Any) -> tuple[str, np.ndarray[Any, Any]]:
    result = triton.InferResult.from_response_body(
        body, header_length=int(length) if (length := headers.get("inference-header-content-length")) else None
    )
    return result.get_response()["model_name"], result.as_numpy("y")


def answering(whole: bytes, headers: dict[str, str], end: Behaviour) -> Behaviour:
    """An engine that sends all but the last ten bytes of its answer; how it ends is said."""
    others = tensor_engine()

    async def behave(exchange: Exchange) -> None:
        if not exchange.path.endswith("/infer"):
            await others(exchange)
            return
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        exchange.writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(whole)}\r\n{lines}\r\n".encode())
        exchange.writer.write(whole[:-10])
        await end(exchange)

    return behave


@pytest.mark.parametrize("asked", ["double", "alias"])
@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
async def test_a_long_tensor_begins_before_it_is_whole_and_is_exact(tmp_path: Path, asked: str, binary: bool) -> None:
    go_on = asyncio.Event()
    whole, headers = answer(binary)

    async def ends(exchange: Exchange) -> None:
        await go_on.wait()
        exchange.writer.write(whole[-10:])
        await exchange.writer.drain()

    async with scripted_engine(answering(whole, headers, ends)) as engine:
        endpoints = endpoint_set("double", engine.address, protocol="OpenInference", engine="Triton")
        objects = [model_deployment("double", aliases=["alias"]), endpoints]
        async with (
            running_gateway(tmp_path, make_snapshot([KEY]), *objects) as running,
            aiohttp.ClientSession(running.url, headers=KEY.headers) as session,
            session.post(f"/v2/models/{asked}/infer", json=BODY) as response,
        ):
            assert response.status == 200
            assert HELD.bytes == 0, "what goes on is not held"
            assert not go_on.is_set()
            go_on.set()
            name, numbers = the_numbers(await response.read(), response.headers)
            assert name == asked
            assert numbers.shape == (1, LENGTH)
            assert numbers[0, -1] == (LENGTH - 1) % 1000
            await until(running.rows)
            (row,) = running.rows()
            assert (row["status"], row["answered"], row["operation"]) == (200, True, "infer")


async def test_of_a_long_tensor_that_breaks_off_nobody_takes_it_for_whole(tmp_path: Path) -> None:
    whole, headers = answer(binary=True)

    async def breaks_off(exchange: Exchange) -> None:
        await exchange.writer.drain()
        exchange.cut()

    async with scripted_engine(answering(whole, headers, breaks_off)) as engine:
        endpoints = endpoint_set("double", engine.address, protocol="OpenInference", engine="Triton")
        async with (
            running_gateway(tmp_path, make_snapshot([KEY]), model_deployment("double"), endpoints) as running,
            aiohttp.ClientSession(running.url, headers=KEY.headers) as session,
        ):
            with pytest.raises(aiohttp.ClientPayloadError):
                async with session.post("/v2/models/double/infer", json=BODY) as response:
                    await response.read()
            await until(running.rows)
            assert HELD.bytes == 0
