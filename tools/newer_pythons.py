"""Do the unit tests and the types' contract hold on every newer Python that this machine has?

`python tools/newer_pythons.py` looks for interpreters above the floor (on PATH, pyenv's, uv's own; none is downloaded),
runs those tests on each in an environment of its own that leaves nothing behind, and says which it found. A machine
without any is fine: the floor is what `make test` runs on.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = os.environ.get("UV", "uv")
NEWER = tuple(f"3.{minor}" for minor in range(12, 20))
TESTS = ("tests/unit", "tests/contract/crds")


def search_path(environment: Mapping[str, str]) -> str:
    """PATH with pyenv's interpreters first: its shims refuse to run where a version is installed but not chosen."""
    root = Path(environment.get("PYENV_ROOT") or Path.home() / ".pyenv")
    installed = sorted((root / "versions").glob("*/bin"), reverse=True)
    return os.pathsep.join([*map(str, installed), environment.get("PATH", os.defpath)])


def found(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(version, path) of each newer interpreter; an engine's own environment is no interpreter of this machine."""
    for version in NEWER:
        asked = subprocess.run(
            [UV, "python", "find", "--system", "--no-project", "--no-python-downloads", f"cpython@{version}"],
            env=dict(environment), capture_output=True, text=True, check=False,
        )  # fmt: skip
        path = asked.stdout.strip()
        if asked.returncode == 0 and path and "engines" not in Path(path).parts:
            yield version, path


def tested(version: str, path: str, environment: Mapping[str, str]) -> int:
    """Run the tests on one interpreter; pytest's exit code."""
    began = time.monotonic()
    print(f"--- Python {version}: {path}", flush=True)
    done = subprocess.run(
        [UV, "run", "--isolated", "--frozen", "--no-default-groups", "--group", "dev", "--python", path, "--quiet",
         "pytest", *TESTS, "-n", "2", "--dist", "loadfile", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT, env=dict(environment), check=False,
    )  # fmt: skip
    print(f"--- Python {version}: exit code {done.returncode} after {time.monotonic() - began:.0f} s", flush=True)
    return done.returncode


def main() -> int:
    """Exit code 1 where a test fails on a newer interpreter."""
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    environment["PATH"] = search_path(environment)
    environment.pop("VIRTUAL_ENV", None)
    interpreters = list(found(environment))
    failed = [version for version, path in interpreters if tested(version, path, environment)]
    versions = ", ".join(version for version, _ in interpreters) or "none; only the floor is tested"
    print(f"newer Pythons found: {versions}; failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
