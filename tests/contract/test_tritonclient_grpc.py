"""The package `tritonclient.grpc`, unmodified, against the gateway and a real Triton: blocking, async, streams."""

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from support.doubling_triton import Served, doubling_triton
from tritonclient.utils import InferenceServerException


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with doubling_triton(tmp_path_factory.mktemp("triton")) as found:
        yield found


@pytest.fixture
def client(served: Served) -> Iterator[triton.InferenceServerClient]:
    found = triton.InferenceServerClient(served.grpc)
    yield found
    found.close()


@pytest.fixture
def key(served: Served) -> dict[str, str]:
    return {"authorization": served.key.headers["Authorization"]}


def tensors(x: list[list[float]], texts: list[str], made: Any = triton) -> list[Any]:
    numbers = made.InferInput("x", [len(x), 2], "FP32")
    numbers.set_data_from_numpy(np.array(x, dtype=np.float32))
    text = made.InferInput("text", [len(texts), 1], "BYTES")
    text.set_data_from_numpy(np.array([[one.encode()] for one in texts], dtype=object))
    return [numbers, text]


def test_the_server_and_the_model_say_what_they_are(client: triton.InferenceServerClient, key: dict[str, str]) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("double", headers=key)
    assert not client.is_model_ready("nobody", headers=key)
    assert client.get_server_metadata(headers=key).name == "mizzen"
    metadata = client.get_model_metadata("double", headers=key)
    assert metadata.name == "double"
    assert {one.name: one.datatype for one in metadata.inputs} == {"x": "FP32", "text": "BYTES"}


@pytest.mark.parametrize("model", ["double", "inner", "default/double"])
@pytest.mark.parametrize("coding", [None, "gzip", "deflate"])
def test_tensors_come_back_right(
    client: triton.InferenceServerClient, key: dict[str, str], model: str, coding: str | None
) -> None:
    outputs = [triton.InferRequestedOutput(name) for name in ("upper", "y")]
    result = client.infer(
        model,
        tensors([[1.5, -2], [0, 3]], ["gut", "écht"]),
        outputs=outputs,
        headers=key,
        request_id="one",
        compression_algorithm=coding,
    )
    assert result.as_numpy("y").tolist() == [[3, -4], [0, 6]]
    assert [one.decode() for one in result.as_numpy("upper")[:, 0]] == ["GUT", "ÉCHT"]
    assert (result.get_response().model_name, result.get_response().id) == (model, "one")


def test_without_named_outputs_all_come(client: triton.InferenceServerClient, key: dict[str, str]) -> None:
    result = client.infer("double", tensors([[1, 2]], ["a"]), model_version="1", headers=key)
    assert {one.name for one in result.get_response().outputs} == {"y", "upper"}
    assert result.as_numpy("y").tolist() == [[2, 4]]


def test_many_calls_at_once_each_get_their_own_answer(
    client: triton.InferenceServerClient, key: dict[str, str]
) -> None:
    answers: queue.Queue[tuple[int, Any, Any]] = queue.Queue()
    for number in range(14, 54):
        client.async_infer(
            "double",
            tensors([[number, 1]], ["a"]),
            callback=lambda result, error, number=number: answers.put((number, result, error)),
            headers=key,
        )
    found = [answers.get(timeout=30) for _ in range(40)]
    assert [error for _, _, error in found if error is not None] == []
    assert all(result.as_numpy("y")[0, 0] == 2 * number for number, result, _ in found)


def test_a_stream_answers_each_request_in_turn_and_goes_on_after_an_error(
    client: triton.InferenceServerClient, key: dict[str, str]
) -> None:
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    client.start_stream(callback=lambda result, error: answers.put((result, error)), headers=key)
    for number in (1, 13, 3):
        client.async_stream_infer("double", tensors([[number, 0]], ["a"]), request_id=str(number))
    found = [answers.get(timeout=30) for _ in range(3)]
    client.stop_stream()
    assert [result.as_numpy("y")[0, 0] for result, error in found if error is None] == [2, 6]
    assert found[0][0].get_response().parameters["triton_final_response"].bool_param is True
    assert "'double' failed" in str(found[1][1])
    assert "SECRET" not in str(found[1][1])


async def test_the_async_client_infers_and_streams(served: Served, key: dict[str, str]) -> None:
    async with triton_aio.InferenceServerClient(served.grpc) as client:
        inferred = await asyncio.gather(
            *(client.infer("double", tensors([[number, 1]], ["a"], triton_aio), headers=key) for number in (1, 2, 3))
        )
        assert [one.as_numpy("y")[0, 0] for one in inferred] == [2, 4, 6]

        async def requests() -> AsyncIterator[dict[str, Any]]:
            for number in (1, 2, 3):
                yield {"model_name": "double", "inputs": tensors([[number, 0]], ["a"], triton_aio)}

        streamed = [result async for result, error in client.stream_infer(requests(), headers=key) if error is None]
        assert [one.as_numpy("y")[0, 0] for one in streamed] == [2, 4, 6]


def test_refusals_have_the_protocols_codes_and_our_words(
    client: triton.InferenceServerClient, key: dict[str, str]
) -> None:
    cases: list[tuple[Any, str, str]] = [
        (lambda: client.infer("nobody", tensors([[0, 0]], ["a"]), headers=key), "NOT_FOUND", "does not exist"),
        (lambda: client.infer("double", tensors([[0, 0]], ["a"])), "UNAUTHENTICATED", "API key"),
        (
            lambda: client.infer("double", tensors([[0, 0]] * 5, ["a"] * 5), headers=key),
            "INVALID_ARGUMENT",
            "batch of 5 is larger than the limit of 4",
        ),
        (lambda: client.infer("double", tensors([[0, 0]], ["a"])[:1], headers=key), "INVALID_ARGUMENT", "missing"),
        (
            lambda: client.infer("double", tensors([[0, 0]], ["a"]), model_version="9", headers=key),
            "NOT_FOUND",
            "no such version",
        ),
        (lambda: client.infer("double", tensors([[13, 0]], ["a"]), headers=key), "UNAVAILABLE", "'double' failed"),
        (lambda: client.get_model_metadata("double"), "UNAUTHENTICATED", "API key"),
    ]
    for call, code, words in cases:
        with pytest.raises(InferenceServerException, match=words) as refused:
            call()
        assert refused.value.status() == f"StatusCode.{code}"


def test_calls_that_change_or_watch_the_server_are_refused(
    client: triton.InferenceServerClient, key: dict[str, str]
) -> None:
    for call in (
        lambda: client.get_model_repository_index(headers=key),
        lambda: client.load_model("double", headers=key),
        lambda: client.unload_model("double", headers=key),
        lambda: client.get_model_config("double", headers=key),
        lambda: client.get_inference_statistics(headers=key),
        lambda: client.get_system_shared_memory_status(headers=key),
        lambda: client.get_cuda_shared_memory_status(headers=key),
        lambda: client.register_system_shared_memory("a", "b", 1, headers=key),
        lambda: client.get_trace_settings(headers=key),
        lambda: client.get_log_settings(headers=key),
    ):
        with pytest.raises(InferenceServerException, match="not offered here") as refused:
            call()
        assert refused.value.status() == "StatusCode.PERMISSION_DENIED"


def test_health_is_told_by_the_protocol_of_health(served: Served) -> None:
    with grpc.insecure_channel(served.grpc) as channel:
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"") == b"\x08\x01"
