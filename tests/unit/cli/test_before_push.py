"""What is no model, or no name, is told before a byte is sent."""

import gzip
import pickle
import zipfile
from pathlib import Path

import pytest
from mizzen_cli.artifact import local_files, told_format
from mizzen_cli.before_push import HOW_TO, check_alias, check_model_name, is_pickle, refuse_pickles
from mizzen_cli.errors import CommandError


def archive(path: Path, *names: str) -> Path:
    """A zip as PyTorch writes it."""
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(f"archive/{name}", b"")
    return path


def test_pickles_are_known_by_their_bytes_whatever_they_are_called(tmp_path: Path) -> None:
    for protocol in (2, 3, 4, 5):
        (tmp_path / "model.onnx").write_bytes(pickle.dumps({"a": 1}, protocol))
        assert is_pickle(tmp_path / "model.onnx")
    (tmp_path / "model.joblib").write_bytes(gzip.compress(b"text"))
    assert is_pickle(tmp_path / "model.joblib")
    assert is_pickle(archive(tmp_path / "state.pt", "data.pkl", "data/0"))


def test_other_files_are_no_pickles(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "model.onnx").write_bytes(b"\x08\x09\x12\x07")
    assert not is_pickle(tmp_path / "empty")
    assert not is_pickle(tmp_path / "model.onnx")
    assert not is_pickle(archive(tmp_path / "script.pt", "data.pkl", "constants.pkl", "code/a.py"))


@pytest.mark.parametrize("length", [640, 896, 1152, 1408])
def test_safetensors_are_no_pickles_whatever_the_length_of_their_header(tmp_path: Path, length: int) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(length.to_bytes(8, "little") + b"{}".ljust(length))
    assert not is_pickle(file)


def test_a_damaged_archive_is_left_to_the_registry(tmp_path: Path) -> None:
    whole = archive(tmp_path / "state.pt", "data.pkl").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[:-4])
    assert not is_pickle(tmp_path / "cut.onnx")


@pytest.mark.parametrize("named", ["", "ONNX", "Safetensors", "TorchScript"])
def test_a_pickle_is_refused_with_what_to_convert_it_to(tmp_path: Path, named: str) -> None:
    (tmp_path / "house.pkl").write_bytes(pickle.dumps({}))
    files = local_files(tmp_path / "house.pkl")
    assert told_format(files) == ""
    with pytest.raises(CommandError, match=r"house\.pkl is a pickle: .*skl2onnx.*torch\.onnx\.export") as refused:
        refuse_pickles(files, named)
    assert HOW_TO in str(refused.value)
    assert (Path(__file__).parents[3] / HOW_TO).is_file()


def test_in_a_triton_repository_the_project_decides(tmp_path: Path) -> None:
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps({}))
    (tmp_path / "config.pbtxt").write_text("")
    files = local_files(tmp_path)
    refuse_pickles(files, told_format(files))
    assert told_format(files) == "TritonRepository"


@pytest.mark.parametrize("name", ["champion", "v1.2", "A_b-c"])
def test_a_good_alias_passes(name: str) -> None:
    check_alias(name)
    check_model_name(name)
    assert name


@pytest.mark.parametrize("name", ["", "bad alias!", "9", "x-", "x" * 64, "a\n"])
def test_an_alias_that_the_registry_would_refuse_is_refused_here(name: str) -> None:
    with pytest.raises(CommandError, match=r"^--alias"):
        check_alias(name)
