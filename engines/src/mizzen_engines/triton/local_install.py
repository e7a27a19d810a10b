"""How does a fresh environment get a `tritonserver` command? By a small script beside its interpreter.

The package nvidia-pytriton carries the real server, but without its bundled libraries on the path the server hangs, and
it finds no backend. Run by the platform's interpreter once, with MIZZEN_ENVIRONMENT_DIR set, after the packages are
installed. The result holds no absolute path of the environment, so that the folder may be renamed when it is complete.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

EXIT_ENVIRONMENT = 3

LAUNCHER = """#!/bin/sh
# Starts the bundled Triton with its libraries, its Python backend and this environment's packages.
home=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd -P)
packages="$home/{packages}"
export LD_LIBRARY_PATH="$packages/nvidia_pytriton.libs{libpython}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
export PATH="$home/bin:$PATH" PYTHONPATH="$packages" PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1
exec "$packages/pytriton/tritonserver/bin/tritonserver" --backend-directory="$home/triton/backends" "$@"
"""

FIND_LIBPYTHON = """
import pathlib, sys, sysconfig
name = f"libpython{sys.version_info[0]}.{sys.version_info[1]}.so.1.0"
folders = [sysconfig.get_config_var("LIBDIR"), f"{sys.base_prefix}/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64"]
found = [f for f in folders if f and (pathlib.Path(f) / name).exists()]
print(f"{sys.version_info[0]}.{sys.version_info[1]}", found[0] if found else "", sep="\\n")
"""


class EnvironmentUnusableError(Exception):
    """The environment cannot run Triton; the message says what to do."""


@dataclass(frozen=True)
class Interpreter:
    """What the environment's interpreter says of itself."""

    version: str
    """As in 3.11."""
    libpython_dir: str
    """Folder of its shared library."""


def install(environment: Path) -> Path:
    """Put `bin/tritonserver` into `environment` and return its path.

    Raises EnvironmentUnusableError where the package, the Python version or libpython does not fit.
    """
    packages = _site_packages(environment)
    interpreter = _ask(environment / "bin" / "python")
    _lay_out_python_backend(environment, packages, interpreter.version)
    launcher = environment / "bin" / "tritonserver"
    # The folder of a system library needs no mention; that of a private interpreter does.
    libpython = f":{interpreter.libpython_dir}"
    relative = packages.relative_to(environment).as_posix()
    launcher.write_text(LAUNCHER.format(packages=relative, libpython=libpython))
    launcher.chmod(0o755)
    return launcher


def _site_packages(environment: Path) -> Path:
    found = sorted(environment.glob("lib/python3.*/site-packages/pytriton/tritonserver"))
    if not found:
        raise EnvironmentUnusableError(
            f"{environment} holds no nvidia-pytriton: install the packages of environments/triton.lock into it first."
        )
    return found[0].parent.parent


def _ask(python: Path) -> Interpreter:
    answer = subprocess.run([str(python), "-c", FIND_LIBPYTHON], capture_output=True, text=True, check=False)  # noqa: S603  # our own environment's interpreter
    lines = answer.stdout.splitlines()
    if answer.returncode != 0 or not lines:
        raise EnvironmentUnusableError(f"{python} does not start: {answer.stderr.strip()[:200]}")
    version, folder = lines[0], lines[1] if len(lines) > 1 else ""
    if not folder:
        raise EnvironmentUnusableError(
            f"Triton's Python backend needs the shared library libpython{version}.so.1.0, which this machine lacks. "
            f"Install it (Debian, Ubuntu: apt-get install libpython{version}) or use an interpreter that brings it "
            f"(uv python install {version})."
        )
    return Interpreter(version, folder)


def _lay_out_python_backend(environment: Path, packages: Path, version: str) -> None:
    server = packages / "pytriton" / "tritonserver"
    stub = server / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.exists():
        known = ", ".join(sorted(p.name for p in stub.parent.parent.iterdir()))
        raise EnvironmentUnusableError(
            f"Triton's Python backend has no stub for Python {version}, only for {known}: "
            "make the environment with one of these."
        )
    target = environment / "triton" / "backends" / "python"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(server / "backends" / "python", target)
    shutil.copy2(stub, target / stub.name)


def main() -> int:
    """Entry point: exit 0, or 3 with one sentence on stderr."""
    environment = os.environ.get("MIZZEN_ENVIRONMENT_DIR", "")
    if not environment:
        sys.stderr.write("MIZZEN_ENVIRONMENT_DIR is not set: it names the environment to prepare.\n")
        return EXIT_ENVIRONMENT
    try:
        launcher = install(Path(environment).absolute())
    except (EnvironmentUnusableError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_ENVIRONMENT
    sys.stderr.write(f"Triton is ready: {launcher}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
