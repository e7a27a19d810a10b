"""The package `tritonclient.http`, unmodified, and curl, against the gateway and a real Triton server."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.http as triton
from support.curl import curl
from support.doubling_triton import Served, doubling_triton
from tritonclient.utils import InferenceServerException


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with doubling_triton(tmp_path_factory.mktemp("triton")) as found:
        yield found


@pytest.fixture
def client(served: Served) -> Iterator[triton.InferenceServerClient]:
    found = triton.InferenceServerClient(served.http)
    yield found
    found.close()


def tensors(x: list[list[float]], texts: list[str], binary: bool = True) -> list[triton.InferInput]:
    numbers = triton.InferInput("x", [len(x), 2], "FP32")
    numbers.set_data_from_numpy(np.array(x, dtype=np.float32), binary_data=binary)
    text = triton.InferInput("text", [len(texts), 1], "BYTES")
    text.set_data_from_numpy(np.array([[one.encode()] for one in texts], dtype=object), binary_data=binary)
    return [numbers, text]


def test_the_server_and_the_model_say_what_they_are(client: triton.InferenceServerClient, served: Served) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("double", headers=served.key.headers)
    assert not client.is_model_ready("nobody", headers=served.key.headers)
    assert client.get_server_metadata(headers=served.key.headers)["name"] == "mizzen"
    metadata = client.get_model_metadata("double", headers=served.key.headers)
    assert metadata["name"] == "double"
    assert {one["name"]: one["datatype"] for one in metadata["inputs"]} == {"x": "FP32", "text": "BYTES"}


@pytest.mark.parametrize("model", ["double", "inner"])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("coding", [None, "gzip", "deflate"])
def test_tensors_come_back_right(
    client: triton.InferenceServerClient, served: Served, model: str, binary: bool, coding: str | None
) -> None:
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("y", "upper")]
    result = client.infer(
        model,
        tensors([[1.5, -2], [0, 3]], ["gut", "écht"], binary),
        outputs=outputs,
        headers=served.key.headers,
        request_compression_algorithm=coding,
        response_compression_algorithm=coding,
    )
    assert result.as_numpy("y").tolist() == [[3, -4], [0, 6]]
    texts = [one.decode() if isinstance(one, bytes) else one for one in result.as_numpy("upper")[:, 0]]
    assert texts == ["GUT", "ÉCHT"]
    assert result.get_response()["model_name"] == model


def test_curl_asks_as_the_protocol_is_written(served: Served) -> None:
    inputs = [
        {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.5, -2]},
        {"name": "text", "datatype": "BYTES", "shape": [1, 1], "data": ["gut"]},
    ]
    words = ["-H", f"Authorization: {served.key.headers['Authorization']}", "-d", json.dumps({"inputs": inputs})]
    for more in ([], ["--compressed"]):
        status, body = curl(f"http://{served.http}/v2/models/double/infer", *words, *more)
        assert status == "200", body
        outputs = {one["name"]: one["data"] for one in json.loads(body)["outputs"]}
        assert outputs == {"y": [3, -4], "upper": ["GUT"]}


def test_many_requests_at_once_each_get_their_own_answer(served: Served) -> None:
    client = triton.InferenceServerClient(served.http, concurrency=8)
    asked = [
        client.async_infer("double", tensors([[number, 1]], ["a"]), headers=served.key.headers)
        for number in range(14, 54)
    ]
    assert [one.get_result().as_numpy("y")[0, 0] for one in asked] == [2 * number for number in range(14, 54)]
    client.close()


def test_a_wrong_batch_is_refused_with_its_limit(client: triton.InferenceServerClient, served: Served) -> None:
    with pytest.raises(InferenceServerException, match="batch of 5 is larger than the limit of 4"):
        client.infer("double", tensors([[0, 0]] * 5, ["a"] * 5), headers=served.key.headers)


def test_a_failure_inside_of_the_model_keeps_its_text_to_itself(
    client: triton.InferenceServerClient, served: Served
) -> None:
    with pytest.raises(InferenceServerException) as failed:
        client.infer("double", tensors([[13, 0]], ["a"]), headers=served.key.headers)
    assert "SECRET" not in str(failed.value)
    assert "'double' failed" in str(failed.value)


def test_without_a_key_nothing_is_told(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="API key"):
        client.get_model_metadata("double")


def test_calls_that_change_or_watch_the_server_are_refused(
    client: triton.InferenceServerClient, served: Served
) -> None:
    for call in (
        client.get_model_repository_index,
        client.get_system_shared_memory_status,
        client.get_cuda_shared_memory_status,
        client.get_trace_settings,
        client.get_log_settings,
        client.get_inference_statistics,
    ):
        with pytest.raises(InferenceServerException, match="not offered here"):
            call(headers=served.key.headers)
    with pytest.raises(InferenceServerException, match="not offered here"):
        client.load_model("double", headers=served.key.headers)
