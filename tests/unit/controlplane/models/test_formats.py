"""Code is told by its content, whatever the file's name; configurations of Triton are read whole."""

import collections
import contextlib
import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.models.formats.artifact import Artifact, UnfitArtifactError
from mizzen_controlplane.models.formats.check import check_artifact
from mizzen_controlplane.models.formats.code_content import code_in, is_pickle
from mizzen_controlplane.models.formats.config_pbtxt import parse
from support.pushing import gguf_file, onnx_model, safetensors_file


class Malicious:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.getenv, ("HOME",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_executes_is_told_in_every_protocol(protocol: int) -> None:
    assert is_pickle(pickle.dumps(Malicious(), protocol))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_plain_data_is_told_too(protocol: int) -> None:
    assert is_pickle(pickle.dumps(collections.OrderedDict(a=[1.5] * 10), protocol))
    assert is_pickle(pickle.dumps(list(range(400_000)), protocol)[: 1 << 20])


@given(st.text())
def test_text_is_no_pickle(text: str) -> None:
    assert not is_pickle(("{" + text).encode())


@pytest.mark.parametrize(
    "content", [onnx_model(), safetensors_file({"w": [3]}), gguf_file({"a": "b"}, {}), b"", b"{}", b"name: 1"]
)
def test_weights_are_no_code(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "weights"
    file.write_bytes(content)
    assert code_in("weights", file) == ""


def test_an_archive_of_pickles_is_told(tmp_path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("model/data.pkl", b"x")
    file = tmp_path / "model.onnx"
    file.write_bytes(held.getvalue())
    assert code_in("model.onnx", file) == "an archive of pickles"


def test_a_configuration_of_triton_is_read() -> None:
    read = parse("a: 1 # no\nb { c: \"x y\" d: [1, 2] } b { c: 'z' }; e < f: TYPE_FP32 >")
    assert read == {"a": ["1"], "b": [{"c": ["x y"], "d": ["1", "2"]}, {"c": ["z"]}], "e": [{"f": ["TYPE_FP32"]}]}


@pytest.mark.parametrize("text", ["a {", "a: [1", "a:", "}", ": 1", "a: }", "\x00", "a {" * 100])
def test_a_broken_configuration_of_triton_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@given(st.sampled_from(["ONNX", "Safetensors", "GGUF"]), st.binary(max_size=300), st.integers(0, 60))
def test_foreign_bytes_are_refused_with_a_reason_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, format_name: str, noise: bytes, cut: int
) -> None:
    whole = {"ONNX": onnx_model(), "Safetensors": safetensors_file({"w": [2]}), "GGUF": gguf_file({"a": 1}, {"w": [2]})}
    suffix = {"ONNX": ".onnx", "Safetensors": ".safetensors", "GGUF": ".gguf"}[format_name]
    file = tmp_path_factory.mktemp("noise") / f"model{suffix}"
    file.write_bytes(whole[format_name][:cut] + noise)
    # Whatever it holds, the check answers with a signature or with this one error, never with another.
    with contextlib.suppress(UnfitArtifactError):
        assert check_artifact(format_name, Artifact({file.name: file}, allow_code=False)) is not None
