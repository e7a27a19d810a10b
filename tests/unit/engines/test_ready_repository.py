"""Ready Triton repositories: taken as they are, refused where they carry code."""

import pickle
from pathlib import Path

import pytest
from mizzen_engines.failure import EngineStartError, ExitCode
from mizzen_engines.triton.layout import LayoutRequest, lay_out
from support import onnx_models

CONFIG = 'name: "m"\nplatform: "onnxruntime_onnx"\nmax_batch_size: 8\n'


def repository(root: Path, config: str = CONFIG, **files: bytes) -> Path:
    """A repository of one model, m, with more files in its version."""
    source = root / "source"
    onnx_models.saved(onnx_models.doubling(), source / "m" / "1")
    (source / "m" / "config.pbtxt").write_text(config)
    for name, content in files.items():
        (source / "m" / "1" / name).write_bytes(content)
    return source


def lay(root: Path, *, allow_code: bool = False, name: str = "m") -> Path:
    lay_out(LayoutRequest(root / "source", root / "repository", "TritonRepository", name, allow_code))
    return root / "repository"


def test_a_repository_without_code_is_taken_as_it_is(tmp_path: Path) -> None:
    repository(tmp_path)
    target = lay(tmp_path)
    assert (target / "m" / "config.pbtxt").read_text() == CONFIG
    assert (target / "m" / "1" / "model.onnx").exists()


def test_a_lone_model_gets_the_served_name(tmp_path: Path) -> None:
    repository(tmp_path)
    (tmp_path / "source" / "m").rename(tmp_path / "lone")
    (tmp_path / "source").rmdir()
    (tmp_path / "lone").rename(tmp_path / "source")
    assert (lay(tmp_path, name="other") / "other" / "1" / "model.onnx").exists()


def test_a_repository_without_the_served_name_is_refused(tmp_path: Path) -> None:
    repository(tmp_path)
    with pytest.raises(EngineStartError, match="no folder 'other'"):
        lay(tmp_path, name="other")


CODE = {
    "a script": {"model.py": b"pass"},
    "a shared object": {"libtriton_m.so": b"\x7fELF"},
    "a versioned shared object": {"lib.so.1.2": b"x"},
    "a shared object by content": {"weights.bin": b"\x7fELF\x02"},
    "a pickle": {"model.pkl": b"x"},
    "a pickle by content": {"weights.bin": pickle.dumps([1])},
    "an archive": {"env.tar.gz": b"\x1f\x8b"},
}


@pytest.mark.parametrize("files", CODE.values(), ids=CODE)
def test_a_repository_with_code_is_refused_unless_allowed(tmp_path: Path, files: dict[str, bytes]) -> None:
    repository(tmp_path, **files)
    with pytest.raises(EngineStartError, match=next(iter(files))) as caught:
        lay(tmp_path)
    assert caught.value.code == ExitCode.CODE_REFUSED
    assert (lay(tmp_path, allow_code=True) / "m" / "1" / next(iter(files))).exists()


CONFIGURATIONS = {
    "environment": 'parameters { key: "EXECUTION_ENV_PATH" value: { string_value: "/x" } }',
    "environment, escaped": 'parameters { key: "EXECUTION\\137ENV_PATH" value: { string_value: "/x" } }',
    "environment, escaped in hex": 'parameters { key: "\\x45XECUTION_ENV_PATH" value: { string_value: "/x" } }',
    "environment, in parts": 'parameters { key: "EXECUTION_" \'ENV_PATH\' value: { string_value: "/x" } }',
    "environment, in parts around a comment": 'parameters { key: "EXECUTION_" # "\n "ENV_PATH" value: { } }',
    "the Python backend": 'backend: "python"',
    "the Python backend in single quotes": "backend : 'python'",
    "the Python backend, escaped": 'backend: "p\\171thon"',
    "a backend of its own": 'backend: "../../evil"',
    "a library": 'runtime: "libevil.so"',
}


@pytest.mark.parametrize("line", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_configuration_that_leads_to_code_is_refused(tmp_path: Path, line: str) -> None:
    repository(tmp_path, f"{CONFIG}{line}\n")
    with pytest.raises(EngineStartError, match=r"config\.pbtxt"):
        lay(tmp_path)


def test_a_link_is_refused(tmp_path: Path) -> None:
    source = repository(tmp_path)
    (source / "m" / "1" / "labels.txt").symlink_to("/etc/passwd")
    with pytest.raises(EngineStartError, match="is a link"):
        lay(tmp_path)


def test_a_comment_about_code_is_no_code(tmp_path: Path) -> None:
    repository(tmp_path, f'# backend: "python", EXECUTION_ENV_PATH\n{CONFIG}')
    assert (lay(tmp_path) / "m").is_dir()
