"""Newer interpreters are found where they are, and nowhere else."""

import os
from pathlib import Path

import pytest
from newer_pythons import found, search_path


def test_interpreters_of_pyenv_come_before_its_shims(tmp_path: Path) -> None:
    installed = tmp_path / "versions" / "3.13.0" / "bin"
    installed.mkdir(parents=True)
    assert search_path({"PYENV_ROOT": str(tmp_path), "PATH": "/shims"}) == f"{installed}{os.pathsep}/shims"


FINDER = """#!/bin/sh
for asked; do :; done
case "$asked" in
cpython@3.12) echo /opt/python/bin/python3.12 ;;
cpython@3.13) echo /srv/mizzen/engines/triton/bin/python3.13 ;;
*) exit 2 ;;
esac
"""


def test_what_is_found_is_a_machines_own_and_no_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finder = tmp_path / "uv"
    finder.write_text(FINDER)
    finder.chmod(0o755)
    monkeypatch.setattr("newer_pythons.UV", str(finder))
    assert list(found({})) == [("3.12", "/opt/python/bin/python3.12")]
