"""Each hostile file is found out by its rule, in a process that is bounded; harmless ones are left in peace."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.models.scanning.findings import MOST_FINDINGS, Findings
from mizzen_controlplane.models.scanning.scan import Asked, scan
from mizzen_controlplane.models.scanning.scanner import Scanner
from support.hostile_files import MADE_UP_TOKEN, Hostile, corpus
from support.pushing import gguf_file, onnx_model, safetensors_file, triton_repository


def asked(folder: Path, path: str, content: bytes, size: int | None = None) -> Asked:
    file = folder / path.replace("/", "_")
    file.write_bytes(content)
    return Asked(path, file, len(content) if size is None else size)


@pytest.mark.parametrize("hostile", corpus(), ids=lambda hostile: hostile.path)
def test_a_hostile_file_is_found_out(tmp_path: Path, hostile: Hostile) -> None:
    found = scan([asked(tmp_path, hostile.path, hostile.content)], allow_code=False).kept
    assert [
        one
        for one in found
        if (one.rule, one.severity) == (hostile.rule, hostile.severity) and hostile.detail in one.detail
    ], found
    assert all(one.file.startswith(hostile.path) for one in found)
    assert MADE_UP_TOKEN not in str(found), "a secret is named, never repeated"


def test_what_people_push_every_day_is_left_in_peace(tmp_path: Path) -> None:
    files = {
        "model.onnx": onnx_model(),
        "model.safetensors": safetensors_file({"w": [3]}),
        "model.gguf": gguf_file({"general.architecture": "llama"}, {"w": [4]}),
        "config.json": b'{"architectures": ["LlamaForCausalLM"]}',
        "README.md": b"# A model\nGood at sums. Ask https://example.org/a?b=c.\n",
        **triton_repository(),
    }
    assert scan([asked(tmp_path, path, content) for path, content in files.items()], allow_code=False).kept == []


def test_code_is_milder_where_the_project_allows_it(tmp_path: Path) -> None:
    (found,) = scan([asked(tmp_path, "1/model.py", b"x = 1\n")], allow_code=True).kept
    assert (found.rule, found.severity) == ("program", "low")


def test_a_size_that_is_not_true_and_a_link_are_found(tmp_path: Path) -> None:
    lie = asked(tmp_path, "a", b"abc", size=2)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = scan([lie, Asked("b", tmp_path / "link", 3)], allow_code=False).kept
    assert [(one.file, one.rule) for one in found] == [("a", "size-lie"), ("b", "symlink")]


def test_findings_are_bounded_and_the_rest_is_counted() -> None:
    found = Findings()
    for number in range(MOST_FINDINGS + 7):
        found.add(str(number), "secret", "high", "x")
    assert (len(found.kept), found.left_out) == (MOST_FINDINGS, 7)


@given(st.sampled_from(corpus()), st.integers(0, 400), st.binary(max_size=40))
def test_damaged_hostile_files_end_a_scan_with_findings_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, hostile: Hostile, cut: int, noise: bytes
) -> None:
    folder = tmp_path_factory.mktemp("noise")
    content = hostile.content[:cut] + noise
    assert scan([asked(folder, hostile.path, content)], allow_code=False).left_out == 0


@contextlib.asynccontextmanager
async def scanning() -> AsyncIterator[Scanner]:
    scanner = Scanner()
    try:
        yield scanner
    finally:
        await asyncio.to_thread(scanner.close)


async def test_scans_run_in_processes_of_their_own_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_bytes(b"x = 1\n")
    files = {"model.py": (tmp_path / "model.py", 6)}
    async with scanning() as scanner:
        scanned = await asyncio.gather(*(scanner.scan(files, allow_code=False) for _ in range(4)))
        assert [[one.rule for one in each.findings] for each in scanned] == [["program"]] * 4
        assert scanner._workshop is not None
        scanner._workshop.kill()  # whoever scans next starts it again
        scanner._workshop.wait()
        assert [one.rule for one in (await scanner.scan(files, allow_code=False)).findings] == ["program"]


async def test_a_scan_over_its_memory_ends_alone_and_is_told(tmp_path: Path) -> None:
    # A pickle of the last protocol that tells of a text of 3 GB: the reader would hold all of it.
    with (tmp_path / "big.pkl").open("wb") as stream:
        stream.write(b"\x80\x04\x8d" + (3 << 30).to_bytes(8, "little"))
        stream.truncate(4 << 30)
    async with scanning() as scanner:
        scanned = await scanner.scan({"big.pkl": (tmp_path / "big.pkl", 4 << 30)}, allow_code=True)
        assert [one.rule for one in scanned.findings] == ["scan-unfinished"]
        (tmp_path / "a.py").write_bytes(b"")
        assert (await scanner.scan({"a.py": (tmp_path / "a.py", 0)}, allow_code=True)).findings
    assert json.dumps([one.severity for one in scanned.findings]) == '["critical"]'
