"""Newer interpreters are found where they are, and nowhere else."""

import os
from pathlib import Path

import pytest
from newer_pythons import found, search_path


def test_interpreters_of_pyenv_come_before_its_shims(tmp_path: Path) -> None:
    installed = tmp_path / "versions" / "3.13.0" / "bin"
    installed.mkdir(parents=True)
    assert search_path({"PYENV_ROOT": str(tmp_path), "PATH": "/shims"}) == f"{installed}{os.pathsep}/shims"


def test_a_machine_without_newer_interpreters_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newer_pythons.NEWER", ("3.99",))
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON_INSTALL_DIR": str(tmp_path)}
    assert list(found(environment)) == []
