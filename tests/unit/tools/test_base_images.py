"""Every image begins at the same base, named by its digest; its last stage takes what was built and builds nothing."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCKERFILES = sorted((ROOT / "images").glob("*/Dockerfile"))
PINNED = re.compile(r"^ARG BASE=(docker\.io/library/python:[\d.]+-slim-bookworm@sha256:[0-9a-f]{64})$", re.MULTILINE)


def base_of(file: Path) -> str:
    """The default of BASE, with tag and digest; empty where it is not pinned."""
    found = PINNED.search(file.read_text())
    return found[1] if found else ""


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_an_image_begins_at_a_base_that_is_pinned_by_digest(file: Path) -> None:
    stages = re.findall(r"^FROM (\S+)", file.read_text(), re.MULTILINE)
    assert stages
    assert set(stages) == {"${BASE}"}
    assert base_of(file)


def test_all_images_begin_at_the_same_base() -> None:
    assert len(DOCKERFILES) >= 5
    assert len({base_of(file) for file in DOCKERFILES}) == 1


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_the_last_stage_takes_what_was_built_and_runs_nothing_as_root(file: Path) -> None:
    last = file.read_text().rpartition("\nFROM ")[2]
    steps = re.findall(r"^([A-Z]+) (.+)$", last, re.MULTILINE)
    assert {step for step, _ in steps} <= {"COPY", "ENV", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}
    copied = [what for step, what in steps if step == "COPY"]
    assert all(re.fullmatch(r"--from=build (/opt/\w+) \1", what) for what in copied), copied
    assert [what for step, what in steps if step == "USER"] == ["10001:10001"]
