"""ONNX models laid out by the product and served by a real Triton."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from onnx import TensorProto
from support import onnx_models
from support.triton import RunningTriton, lay_out, running_triton

MODELS = {
    "doubling": onnx_models.doubling(),
    "whole": onnx_models.doubling(dims=(2, 3)),
    "row": onnx_models.doubling(dims=("batch",)),
    "single": onnx_models.doubling(dims=(), elem_type=TensorProto.INT64),
    "capitals": onnx_models.upper_case(dims=(None,)),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    root = tmp_path_factory.mktemp("triton")
    for name, model in MODELS.items():
        done = lay_out(onnx_models.saved(model, root / "source" / name), root / "one" / name, name)
        assert done.returncode == 0, done.stderr
        (root / "all").mkdir(exist_ok=True)
        (root / "one" / name / name).rename(root / "all" / name)
    done = lay_out(onnx_models.with_outside_weights(root / "source" / "heavy"), root / "one" / "heavy", "heavy")
    assert done.returncode == 0, done.stderr
    (root / "one" / "heavy" / "heavy").rename(root / "all" / "heavy")
    with running_triton(root / "all", root / "triton.log") as running:
        yield running


def ask(server: RunningTriton, model: str, values: np.ndarray, name: str = "x", answer: str = "y") -> np.ndarray:
    datatype = {"f": "FP32", "i": "INT64", "O": "BYTES"}[values.dtype.kind]
    tensor = triton.InferInput(name, list(values.shape), datatype)
    tensor.set_data_from_numpy(values)
    with closing(triton.InferenceServerClient(server.url)) as client:
        return client.infer(model, [tensor]).as_numpy(answer)


def test_a_batch_of_rows_is_answered_row_by_row(server: RunningTriton) -> None:
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_array_equal(ask(server, "doubling", rows), rows * 2)


def test_requests_side_by_side_share_runs_and_get_their_own_rows(server: RunningTriton) -> None:
    def one(seed: int) -> bool:
        rows = np.random.default_rng(seed).random((1 + seed % 3, 3)).astype(np.float32)
        return np.array_equal(ask(server, "doubling", rows), rows + rows)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(200)))
    with closing(triton.InferenceServerClient(server.url)) as client:
        statistics = client.get_inference_statistics("doubling")["model_stats"][0]
    assert int(statistics["execution_count"]) < int(statistics["inference_stats"]["success"]["count"])


def test_a_model_without_a_batch_dimension_is_served_as_it_is(server: RunningTriton) -> None:
    values = np.ones((2, 3), dtype=np.float32)
    np.testing.assert_array_equal(ask(server, "whole", values), values * 2)


def test_a_model_of_one_dimension_shows_a_size_of_one_behind_the_batch(server: RunningTriton) -> None:
    np.testing.assert_array_equal(ask(server, "row", np.array([[1], [2]], dtype=np.float32)), [[2], [4]])


def test_a_scalar_shows_one_dimension_of_size_one(server: RunningTriton) -> None:
    np.testing.assert_array_equal(ask(server, "single", np.array([21], dtype=np.int64)), [42])


def test_text_comes_and_goes_as_utf8(server: RunningTriton) -> None:
    words = np.array([["wind ä".encode()], ["海".encode()]], dtype=object)
    answer = ask(server, "capitals", words, "text", "capitals")
    assert [part.decode() for part in answer.ravel()] == ["WIND ä", "海"]


def test_a_request_that_is_not_utf8_fails_alone(server: RunningTriton) -> None:
    def one(text: bytes) -> str:
        try:
            return ask(server, "capitals", np.array([[text]], dtype=object), "text", "capitals")[0, 0].decode()
        except triton.InferenceServerException as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, [b"a", b"\xff", b"b", b"c"] * 8))
    assert answers[0::4] == ["A"] * 8
    assert answers[2::4] == ["B"] * 8
    assert all("not UTF-8" in text for text in answers[1::4])


@pytest.mark.parametrize(
    ("model", "tensor"),
    [
        ("capitals", {"name": "text", "datatype": "BYTES", "shape": [1, 1], "parameters": {"binary_data_size": 5}}),
        ("doubling", {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}),
    ],
)
def test_what_is_the_callers_fault_is_answered_400(server: RunningTriton, model: str, tensor: dict[str, Any]) -> None:
    header = json.dumps({"inputs": [tensor]}).encode()
    tail = b"\x01\x00\x00\x00\xff" if "parameters" in tensor else b""
    answer = httpx.post(
        f"http://{server.url}/v2/models/{model}/infer",
        content=header + tail,
        headers={"Inference-Header-Content-Length": str(len(header))},
    )
    assert answer.status_code == 400, answer.text


def test_nothing_is_written_down_about_the_device(server: RunningTriton) -> None:
    """Triton's HOME in these tests is the folder of its log."""
    rows = np.ones((1, 3), dtype=np.float32)
    np.testing.assert_array_equal(ask(server, "doubling", rows), rows * 2)
    assert not list(server.log.parent.rglob("*deviceid*"))
    assert not list(server.log.parent.rglob("onnxruntime.db*"))


def test_weights_in_a_file_of_their_own_are_found(server: RunningTriton) -> None:
    np.testing.assert_array_equal(ask(server, "heavy", np.zeros((1, 3), dtype=np.float32)), [[0, 1, 2]])


def test_metadata_names_types_and_shapes_of_the_graph(server: RunningTriton) -> None:
    with closing(triton.InferenceServerClient(server.url)) as client:
        metadata = client.get_model_metadata("doubling")
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]
    assert metadata["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}]
