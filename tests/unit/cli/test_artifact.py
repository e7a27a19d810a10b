"""Which files a push takes, and which format their names tell."""

import hashlib
from pathlib import Path

import pytest
from mizzen_cli.artifact import guess_format, local_files, local_metadata, named_format
from mizzen_cli.errors import CommandError


def folder(root: Path, *names: str) -> Path:
    """A folder with files of these names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_a_folder_is_pushed_without_hidden_files_and_metadata(tmp_path: Path) -> None:
    root = folder(tmp_path, "model.onnx", "data/weights.bin", ".git/config", "metadata.json", "__pycache__/a.pyc")
    files = local_files(root)
    assert [each.path for each in files] == ["data/weights.bin", "model.onnx"]
    assert files[1].size == 10
    assert files[1].sha256 == hashlib.sha256(b"model.onnx").hexdigest()


def test_a_file_is_pushed_by_its_own_name(tmp_path: Path) -> None:
    folder(tmp_path, "model.onnx", "other.txt")
    assert [each.path for each in local_files(tmp_path / "model.onnx")] == ["model.onnx"]


def test_a_link_out_of_the_folder_is_refused_and_nothing_of_it_is_read(tmp_path: Path) -> None:
    folder(tmp_path, "secrets/admin", "artifact/config.json")
    for name in ("model.onnx", "metadata.json"):
        link = tmp_path / "artifact" / name
        link.symlink_to("../secrets/admin")
        with pytest.raises(CommandError, match=rf"{name} is a link to .*/secrets/admin.*cp -rL"):
            local_files(tmp_path / "artifact")
        link.unlink()
    (tmp_path / "artifact/metadata.json").symlink_to("../secrets/admin")
    with pytest.raises(CommandError, match=r"metadata\.json is a link"):
        local_metadata(tmp_path / "artifact")


@pytest.mark.parametrize("target", ["../secrets", "data"])
def test_a_link_to_a_folder_is_refused_wherever_it_leads(target: str, tmp_path: Path) -> None:
    folder(tmp_path, "secrets/admin", "artifact/data/model.onnx")
    (tmp_path / "artifact/more").symlink_to(target)
    with pytest.raises(CommandError, match=r"more is a link to a folder"):
        local_files(tmp_path / "artifact")


def test_a_link_to_nothing_is_refused_rather_than_left_out(tmp_path: Path) -> None:
    folder(tmp_path, "model.onnx")
    (tmp_path / "weights.bin").symlink_to("gone.bin")
    with pytest.raises(CommandError, match=r"weights\.bin is a link to .*gone\.bin"):
        local_files(tmp_path)


def test_a_link_to_a_file_of_the_same_folder_is_pushed_as_that_file(tmp_path: Path) -> None:
    root = folder(tmp_path, "1.onnx")
    (root / "model.onnx").symlink_to("1.onnx")
    assert [(each.path, each.size) for each in local_files(root)] == [("1.onnx", 6), ("model.onnx", 6)]


@pytest.mark.parametrize(("name", "sentence"), [("nowhere", "no such file or folder"), ("empty", "holds no file")])
def test_nothing_to_push_is_said(name: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match=sentence):
        local_files(tmp_path / name)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["model.onnx"], "ONNX"),
        (["config.json", "model.safetensors"], "Safetensors"),
        (["m/config.pbtxt", "m/1/model.onnx"], "TritonRepository"),
        (["weights.gguf"], "GGUF"),
        (["model.pt"], "TorchScript"),
    ],
)
def test_the_names_tell_the_format(names: list[str], expected: str, tmp_path: Path) -> None:
    assert guess_format(local_files(folder(tmp_path, *names))) == expected


def test_names_that_tell_no_format_ask_for_the_option(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--format"):
        guess_format(local_files(folder(tmp_path, "README.md")))


def test_a_format_is_taken_in_any_case_and_an_unknown_one_lists_those_there_are() -> None:
    assert named_format("onnx") == "ONNX"
    with pytest.raises(CommandError, match=r"--format pickle: .* Safetensors, ONNX"):
        named_format("pickle")


def test_metadata_lies_beside_the_artifact_and_must_be_json(tmp_path: Path) -> None:
    assert local_metadata(tmp_path) == {}
    (tmp_path / "metadata.json").write_text('{"accuracy": 0.8}')
    folder(tmp_path, "model.onnx")
    assert local_metadata(tmp_path) == local_metadata(tmp_path / "model.onnx") == {"accuracy": 0.8}
    (tmp_path / "metadata.json").write_text("accuracy: 0.8")
    with pytest.raises(CommandError, match=r"metadata\.json is not JSON"):
        local_metadata(tmp_path)
