"""Fetching a version from a registry, as the init container does it."""

import contextlib
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mizzen_engines.failure import ExitCode
from mizzen_engines.fetch.__main__ import run
from support.registry_server import TOKEN, TRICKLE_BYTES, RegistryServer, registry_server

FILES = {"model.onnx": os.urandom(300_000), "data/weights 1.bin": os.urandom(1_500_000), "empty.txt": b""}


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with registry_server(RegistryServer(dict(FILES))) as server:
        yield server


def variables(registry: RegistryServer, root: Path, **more: str) -> dict[str, str]:
    token = root / "token"
    token.write_text(TOKEN + "\n")
    return {
        "PATH": os.environ["PATH"],
        "MIZZEN_MODEL_URI": f"mizzen://{registry.version_id}",
        "MIZZEN_MODEL_DIR": str(root / "model"),
        "MIZZEN_MODEL_DIGEST": registry.digest,
        "MIZZEN_REGISTRY_URL": registry.url,
        "MIZZEN_REGISTRY_TOKEN_FILE": str(token),
        "MIZZEN_TERMINATION_LOG": str(root / "termination"),
        **more,
    }


@dataclass(frozen=True)
class Done:
    returncode: int
    stderr: str


def fetch(environment: dict[str, str]) -> Done:
    """What the init container does, inside this process."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = run(environment)
    return Done(code, said.getvalue())


def content(root: Path) -> dict[str, bytes]:
    folder = root / "model"
    visible = [p for p in folder.rglob("*") if p.is_file() and not p.relative_to(folder).parts[0].startswith(".mizzen")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in visible}


def test_every_file_arrives_and_progress_is_told(registry: RegistryServer, tmp_path: Path) -> None:
    done = fetch(variables(registry, tmp_path, MIZZEN_OPERATOR_URL=registry.url, POD_NAME="pod-a"))
    assert done.returncode == 0, done.stderr
    assert content(tmp_path) == FILES
    total = sum(len(data) for data in FILES.values())
    last = registry.progress[-1]
    assert (last["pod"], last["phase"], last["bytes_done"], last["bytes_total"]) == ("pod-a", "fetch", total, total)
    assert last["done"] is True
    assert TOKEN not in done.stderr


def test_a_complete_folder_is_not_fetched_again_even_without_a_registry(
    registry: RegistryServer, tmp_path: Path
) -> None:
    environment = variables(registry, tmp_path)
    assert fetch(environment).returncode == 0
    asked = list(registry.requests)
    assert fetch(environment | {"MIZZEN_REGISTRY_URL": "http://127.0.0.1:1"}).returncode == 0
    assert registry.requests == asked


def test_a_file_changed_after_the_fetch_is_fetched_again(registry: RegistryServer, tmp_path: Path) -> None:
    environment = variables(registry, tmp_path)
    assert fetch(environment).returncode == 0
    (tmp_path / "model" / "model.onnx").write_bytes(b"x" * 300_000)
    asked = len(registry.requests)
    assert fetch(environment).returncode == 0
    assert content(tmp_path) == FILES
    assert [name for name, _ in registry.requests[asked:]] == ["model.onnx"]


def test_another_version_in_the_same_folder_replaces_the_first(registry: RegistryServer, tmp_path: Path) -> None:
    assert fetch(variables(registry, tmp_path)).returncode == 0
    registry.version_id, registry.files = "mv_second", {"model.onnx": FILES["model.onnx"], "labels.txt": b"a\nb\n"}
    done = fetch(variables(registry, tmp_path))
    assert done.returncode == 0, done.stderr
    assert content(tmp_path) == registry.files


def test_a_broken_transfer_goes_on_where_it_stopped(registry: RegistryServer, tmp_path: Path) -> None:
    registry.files = {"weights": os.urandom(500_000)}
    registry.cut_after = [200_000, 100_000]
    done = fetch(variables(registry, tmp_path))
    assert done.returncode == 0, done.stderr
    assert content(tmp_path) == registry.files
    assert [asked for _, asked in registry.requests] == ["", "bytes=200000-", "bytes=300000-"]


def test_a_source_without_ranges_is_read_from_the_start_again(registry: RegistryServer, tmp_path: Path) -> None:
    registry.files, registry.ranges, registry.cut_after = {"weights": os.urandom(500_000)}, False, [200_000]
    done = fetch(variables(registry, tmp_path))
    assert done.returncode == 0, done.stderr
    assert content(tmp_path) == registry.files


def test_one_flipped_byte_fails_with_a_digest_mismatch(registry: RegistryServer, tmp_path: Path) -> None:
    registry.files, registry.flip_byte_at = {"weights": os.urandom(500_000)}, 123_456
    done = fetch(variables(registry, tmp_path))
    assert done.returncode == ExitCode.DIGEST_MISMATCH
    assert done.stderr.splitlines()[-1].startswith("DigestMismatch: weights has the digest sha256:")
    assert (tmp_path / "termination").read_text().startswith("DigestMismatch: ")
    assert content(tmp_path) == {}


def test_a_manifest_of_another_digest_than_was_deployed_is_refused(registry: RegistryServer, tmp_path: Path) -> None:
    done = fetch(variables(registry, tmp_path, MIZZEN_MODEL_DIGEST="sha256:" + "0" * 64))
    assert done.returncode == ExitCode.DIGEST_MISMATCH
    assert registry.requests == []


def test_a_manifest_that_lies_about_its_digest_is_refused(registry: RegistryServer, tmp_path: Path) -> None:
    registry.claimed_digest = "sha256:" + "1" * 64
    done = fetch(variables(registry, tmp_path, MIZZEN_MODEL_DIGEST=registry.claimed_digest))
    assert done.returncode == ExitCode.DIGEST_MISMATCH


@pytest.mark.parametrize("path", ["../outside", "/etc/outside", "a/../../outside", ".mizzen-complete.json"])
def test_a_path_out_of_the_folder_is_refused(registry: RegistryServer, tmp_path: Path, path: str) -> None:
    registry.files = {path: b"x"}
    done = fetch(variables(registry, tmp_path))
    assert done.returncode == ExitCode.ARTIFACT_WRONG
    assert repr(path) in done.stderr


def test_a_wrong_token_is_named_as_the_reason(registry: RegistryServer, tmp_path: Path) -> None:
    environment = variables(registry, tmp_path)
    (tmp_path / "token").write_text("mzt_registry_wrong")
    done = fetch(environment)
    assert done.returncode == ExitCode.UNAUTHORIZED
    assert "mzt_registry_wrong" not in done.stderr


def test_an_unknown_version_is_named_as_the_reason(registry: RegistryServer, tmp_path: Path) -> None:
    environment = variables(registry, tmp_path, MIZZEN_MODEL_URI="mizzen://mv_other")
    assert fetch(environment).returncode == ExitCode.NOT_FOUND


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    done = fetch({"PATH": os.environ["PATH"], "MIZZEN_MODEL_DIR": str(tmp_path)})
    assert done.returncode == ExitCode.ENVIRONMENT
    assert "MIZZEN_MODEL_URI" in done.stderr


def killed_midway(registry: RegistryServer, root: Path) -> Path:
    """Kill -9 a fetch that has got the first bytes of its file; returns the part that it left."""
    registry.hold = threading.Event()
    command = [sys.executable, "-m", "mizzen_engines.fetch"]
    process = subprocess.Popen(command, env=variables(registry, root), stderr=subprocess.DEVNULL)
    parts = root / "model" / ".mizzen-parts"
    deadline = time.monotonic() + 30
    while not any(part.stat().st_size >= TRICKLE_BYTES for part in parts.glob("*")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    registry.hold.set()
    return next(parts.iterdir())


def test_a_fetch_killed_midway_goes_on_from_its_part(registry: RegistryServer, tmp_path: Path) -> None:
    registry.files = {"weights": os.urandom(2_000_000)}
    killed_midway(registry, tmp_path)
    done = fetch(variables(registry, tmp_path))
    assert done.returncode == 0, done.stderr
    assert content(tmp_path) == registry.files
    assert registry.requests[-1][1] == f"bytes={TRICKLE_BYTES}-"


def test_a_part_with_a_torn_end_is_fetched_once_more_from_the_start(registry: RegistryServer, tmp_path: Path) -> None:
    registry.files = {"weights": os.urandom(2_000_000)}
    part = killed_midway(registry, tmp_path)
    part.write_bytes(part.read_bytes()[:-10_000] + bytes(10_000))
    done = fetch(variables(registry, tmp_path))
    assert done.returncode == 0, done.stderr
    assert content(tmp_path) == registry.files
    assert [asked for _, asked in registry.requests] == ["", f"bytes={TRICKLE_BYTES}-", ""]


def test_two_fetches_into_one_folder_wait_for_each_other(registry: RegistryServer, tmp_path: Path) -> None:
    environment = variables(registry, tmp_path)
    command = [sys.executable, "-m", "mizzen_engines.fetch"]
    both = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate() and process.returncode for process in both] == [0, 0]
    assert content(tmp_path) == FILES
    asked = [name for name, _ in registry.requests]
    assert sorted(asked) == sorted(set(asked))
