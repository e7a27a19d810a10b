"""A small engine of the Open Inference Protocol: doubles a matrix; speaks JSON, binary tensors and gzip."""

import gzip
import struct
import zlib
from typing import Any

import orjson
from support.scripted_engine import Behaviour, Exchange

METADATA = {
    "name": "double",
    "versions": ["1"],
    "platform": "test",
    "inputs": [
        {"name": "x", "datatype": "FP32", "shape": [-1, 2]},
        {"name": "text", "datatype": "BYTES", "shape": [-1, 1]},
    ],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}],
}
CONFIG = {"max_batch_size": 4, "input": [{"name": "x"}, {"name": "text", "optional": True}]}


def tensor_engine(name: str = "double") -> Behaviour:
    """Behaviour for a scripted engine."""

    async def behave(exchange: Exchange) -> None:
        if exchange.path == f"/v2/models/{name}":
            await exchange.send_json({**METADATA, "name": name})
        elif exchange.path == f"/v2/models/{name}/config":
            await exchange.send_json(CONFIG)
        elif exchange.path.endswith("/infer"):
            await _infer(exchange, name)
        else:
            await exchange.send_json({"error": "SECRET: no such path"}, 404)

    return behave


async def _infer(exchange: Exchange, name: str) -> None:
    length = int(exchange.headers.get("inference-header-content-length", len(exchange.body)))
    document = orjson.loads(exchange.body[:length])
    given = next(one for one in document["inputs"] if one["name"] == "x")
    values = given.get("data")
    if values is None:
        values = list(struct.unpack(f"<{given['parameters']['binary_data_size'] // 4}f", exchange.body[length:]))
    await _answer(exchange, name, document, given["shape"], [2 * value for value in values])


async def _answer(
    exchange: Exchange, name: str, document: dict[str, Any], shape: list[int], values: list[float]
) -> None:

    output: dict[str, Any] = {"name": "y", "datatype": "FP32", "shape": shape}
    wanted = next(iter(document.get("outputs", [])), {}).get("parameters", {}).get("binary_data")
    tail = struct.pack(f"<{len(values)}f", *values) if wanted else b""
    if wanted:
        output["parameters"] = {"binary_data_size": len(tail)}
    else:
        output["data"] = values
    header = orjson.dumps({"model_name": name, "model_version": "1", "outputs": [output]})
    headers = {"content_type": "application/octet-stream" if wanted else "application/json"}
    if wanted:
        headers["inference_header_content_length"] = str(len(header))
    body = header + tail
    coding = exchange.headers.get("accept-encoding")
    if coding in {"gzip", "deflate"}:
        body = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
        headers["content_encoding"] = coding
    await exchange.send(200, body, **headers)
