"""What the layout step makes of ONNX versions, and what it refuses."""

import pickle
from pathlib import Path

import onnx
import pytest
from mizzen_engines.failure import EngineStartError, ExitCode
from mizzen_engines.triton.configuration import quoted
from mizzen_engines.triton.layout import LayoutRequest, lay_out
from onnx import TensorProto, helper
from support import onnx_models


def laid_out(root: Path, model: onnx.ModelProto, **options: object) -> str:
    """config.pbtxt of the model, laid out."""
    source = onnx_models.saved(model, root / "source")
    lay_out(LayoutRequest(source, root / "repository", "ONNX", "m", **options))  # type: ignore[arg-type]  # any option
    return (root / "repository" / "m" / "config.pbtxt").read_text()


def refusal(root: Path, model_format: str = "ONNX", **options: object) -> EngineStartError:
    source, repository = root / "source", root / "repository"
    request = LayoutRequest(source, repository, model_format, "m", **options)  # type: ignore[arg-type]  # any option
    with pytest.raises(EngineStartError) as caught:
        lay_out(request)
    return caught.value


def test_a_free_first_dimension_is_the_batch(tmp_path: Path) -> None:
    text = laid_out(tmp_path, onnx_models.doubling(("batch", 3)))
    assert "max_batch_size: 64" in text
    assert "dynamic_batching" in text
    assert 'input [ { name: "x" data_type: TYPE_FP32 dims: [ 3 ] } ]' in text
    assert (tmp_path / "repository" / "m" / "1" / "model.py").exists()


def test_a_first_dimension_without_a_name_is_a_batch_as_well(tmp_path: Path) -> None:
    assert "max_batch_size: 64" in laid_out(tmp_path, onnx_models.doubling((None, 3)))


def test_a_fixed_first_dimension_is_no_batch(tmp_path: Path) -> None:
    text = laid_out(tmp_path, onnx_models.doubling((2, 3)))
    assert "max_batch_size: 0" in text
    assert "dynamic_batching" not in text
    assert "dims: [ 2, 3 ]" in text


def test_an_output_without_the_batch_means_no_batching(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    total = helper.make_tensor_value_info("total", TensorProto.FLOAT, [])
    node = helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0)
    text = laid_out(tmp_path, onnx_models.model([node], [value], [total]))
    assert "max_batch_size: 0" in text
    assert 'output [ { name: "total" data_type: TYPE_FP32 dims: [ 1 ] } ]' in text


def test_inputs_with_differently_named_first_dimensions_are_not_batched(tmp_path: Path) -> None:
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [dim, 3]) for name, dim in (("a", "N"), ("b", "M"))
    ]
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])
    node = helper.make_node("Concat", ["a", "b"], ["y"], axis=0)
    assert "max_batch_size: 0" in laid_out(tmp_path, onnx_models.model([node], values, [answer]))


def test_the_full_image_gets_its_own_backend_and_no_code(tmp_path: Path) -> None:
    text = laid_out(tmp_path, onnx_models.doubling(("batch",)), backend="onnxruntime")
    assert 'platform: "onnxruntime_onnx"' in text
    assert "dims: [ 1 ] reshape: { shape: [ ] }" in text
    assert not (tmp_path / "repository" / "m" / "1" / "model.py").exists()


def test_a_name_cannot_end_its_literal_early(tmp_path: Path) -> None:
    text = laid_out(tmp_path, onnx_models.doubling(name='x" backend: "evil'))
    assert 'backend: "evil' not in text
    assert quoted('a"\n') == '"a\\042\\012"'


def test_code_beside_the_graph_stays_behind(tmp_path: Path) -> None:
    source = onnx_models.saved(onnx_models.doubling(), tmp_path / "source")
    (source / "model.py").write_text("raise SystemExit")
    (source / "libtriton_python.so").write_bytes(b"\x7fELF")
    laid_out(tmp_path, onnx_models.doubling())
    placed = sorted(path.name for path in (tmp_path / "repository" / "m" / "1").iterdir())
    assert placed == ["model.onnx", "model.py"]
    assert "raise SystemExit" not in (tmp_path / "repository" / "m" / "1" / "model.py").read_text()
    assert (source / "model.py").read_text() == "raise SystemExit"


def test_weights_under_the_name_of_code_are_refused(tmp_path: Path) -> None:
    onnx_models.with_outside_weights(tmp_path / "source", "libtriton_python.so")
    assert "libtriton_python.so" in str(refusal(tmp_path))


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd"])
def test_weights_outside_of_the_artifact_are_refused(tmp_path: Path, location: str) -> None:
    onnx_models.with_outside_weights(tmp_path / "source", location)
    error = refusal(tmp_path)
    assert error.code == ExitCode.ARTIFACT_WRONG
    assert "outside of the artifact" in str(error)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    (onnx_models.with_outside_weights(tmp_path / "source") / "weights.bin").unlink()
    assert "'weights.bin'" in str(refusal(tmp_path))


def test_a_second_attempt_replaces_what_the_first_left(tmp_path: Path) -> None:
    left = tmp_path / "repository" / "m" / "7" / "model.py"
    left.parent.mkdir(parents=True)
    left.write_text("left")
    laid_out(tmp_path, onnx_models.doubling())
    assert not left.exists()


def _write(root: Path, name: str, content: bytes) -> None:
    (root / "source").mkdir()
    (root / "source" / name).write_bytes(content)


def test_a_pickle_is_refused_whatever_its_name(tmp_path: Path) -> None:
    _write(tmp_path, "model.onnx", pickle.dumps({"weights": [1, 2]}))
    error = refusal(tmp_path)
    assert "Python pickle" in str(error)
    assert error.reason == "LayoutRefused"


def test_a_zip_of_torch_is_refused_with_the_way_out(tmp_path: Path) -> None:
    _write(tmp_path, "model.onnx", b"PK\x03\x04" + b"\0" * 100)
    assert "torch.onnx.export" in str(refusal(tmp_path))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    whole = onnx_models.doubling().SerializeToString()
    _write(tmp_path, "model.onnx", whole[: len(whole) // 2])
    assert refusal(tmp_path).code == ExitCode.ARTIFACT_WRONG


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"hello, this is text"], ids=["empty", "zeros", "text"])
def test_what_is_no_onnx_is_refused(tmp_path: Path, content: bytes) -> None:
    _write(tmp_path, "model.onnx", content)
    assert refusal(tmp_path).code == ExitCode.ARTIFACT_WRONG


def test_a_map_as_output_is_refused_with_the_way_out(tmp_path: Path) -> None:
    model = onnx_models.doubling()
    sequence = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node("SequenceConstruct", ["x"], ["y"])
    model = onnx_models.model([node], list(model.graph.input), [sequence])
    onnx_models.saved(model, tmp_path / "source")
    assert "zipmap off" in str(refusal(tmp_path))


def test_a_version_without_an_onnx_file_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, "weights.bin", b"x")
    assert "no file" in str(refusal(tmp_path))


def test_a_format_that_triton_does_not_serve_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, "model.gguf", b"GGUF")
    assert "ONNX and TritonRepository" in str(refusal(tmp_path, "GGUF"))
