"""How do the programs of a cluster come onto this machine? Built from pinned Go modules, once, into a cache folder.

`python tools/cluster/build.py test-cluster` builds a group, `… kubectl etcd` single programs, and prints their paths.
Two builds at once do no harm: the second waits for what the first makes. Only the first run pays; the programs lie in
`$XDG_CACHE_HOME/mizzen/tools/<hash of go.mod, go.sum and the version of Go>`.
"""

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.modules import GROUPS, PROGRAMS, Module, Program, named
from cluster.toolchain import Go, cache_folder, toolchain

_TELL_SECONDS = 15.0


def built(*names: str) -> dict[str, Path]:
    """Paths of programs, by name; builds those that are missing. RuntimeError where that fails."""
    programs = sorted(named(list(names)), key=lambda program: program.module.name)
    go = toolchain(max(program.module.go for program in programs))
    paths = {}
    for module, of_module in groupby(programs, key=lambda program: program.module):
        folder = cache_folder() / "tools" / module.key(go.version)
        wanted = list(of_module)
        paths.update({program.name: folder / program.name for program in wanted})
        _build_missing(module, wanted, folder, go)
    return paths


def sources(module: Module) -> Path:
    """Folder of a module's own files, such as its manifests: its unpacked Go module. RuntimeError where it fails."""
    command = [str(toolchain(module.go).program), "mod", "download", "-json", module.path]
    done = subprocess.run(command, cwd=module.folder, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{module.path} {module.version} was not fetched: {done.stderr or done.stdout}")
    return Path(json.loads(done.stdout)["Dir"])


def _build_missing(module: Module, wanted: Sequence[Program], folder: Path, go: Go) -> None:
    if not _missing(wanted, folder):
        return
    with _alone(folder, module):
        if missing := _missing(wanted, folder):
            _build(module, missing, folder, go)


def _missing(wanted: Sequence[Program], folder: Path) -> list[Program]:
    return [program for program in wanted if not (folder / program.name).is_file()]


@contextmanager
def _alone(folder: Path, module: Module) -> Iterator[None]:
    """Hold the lock of a folder; the kernel frees it with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _tell(f"{module.name}: another build is at it, waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(module: Module, missing: Sequence[Program], folder: Path, go: Go) -> None:
    """One `go build` for all, into a folder of its own; a program appears under its name only when it is whole."""
    fresh = folder / f".building-{os.getpid()}"
    what = f"{module.name} {module.version} ({', '.join(program.name for program in missing)})"
    command = [str(go.program), "build", "-v", "-trimpath", "-ldflags", missing[0].link_flags(), "-o", f"{fresh}/"]
    began = time.monotonic()
    _tell(f"{what}: building with {go.version}")
    try:
        fresh.mkdir(exist_ok=True)
        _run(what, [*command, *(program.package for program in missing)], module.folder)
        for program in missing:
            (fresh / _binary_name(program)).rename(folder / program.name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _tell(f"{what}: built in {time.monotonic() - began:.0f} s")


def _binary_name(program: Program) -> str:
    """As Go names it: the last part of the package that is no version."""
    parts = program.package.split("/")
    return parts[-2] if parts[-1].startswith("v") and parts[-1][1:].isdigit() else parts[-1]


def _run(what: str, command: Sequence[str], folder: Path) -> None:
    """Run a build, telling now and then how far it is; RuntimeError with its last lines when it fails."""
    process = subprocess.Popen(
        ["nice", "-n", "10", *command],
        cwd=folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    lines: list[str] = []
    done = threading.Event()
    teller = threading.Thread(target=_tell_progress, args=(what, lines, done))
    teller.start()
    try:
        lines.extend(process.stdout)
        code = process.wait()
    except BaseException:
        process.kill()
        raise
    finally:
        done.set()
        teller.join()
    if code != 0:
        raise RuntimeError(f"{what} was not built, `go build` ended with {code}:\n{''.join(lines[-20:])}")


def _environment() -> dict[str, str]:
    """Nothing of a person's own settings of Go reaches a build but where modules come from."""
    ours = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOROOT": "", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    return {**os.environ, **ours}


def _tell_progress(what: str, lines: list[str], done: threading.Event) -> None:
    began = time.monotonic()
    while not done.wait(_TELL_SECONDS):
        fetched = sum(line.startswith("go: downloading") for line in lines)
        packages = len(lines) - fetched
        _tell(f"{what}: {time.monotonic() - began:.0f} s, {fetched} modules fetched, {packages} packages compiled")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what is named and print each path; exit code 1 with the reason where that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="+", help=f"groups: {', '.join(GROUPS)}; programs: {', '.join(PROGRAMS)}")
    try:
        paths = built(*parser.parse_args(arguments).names)
    except (RuntimeError, ValueError) as error:
        _tell(str(error))
        return 1
    for name, path in paths.items():
        print(f"{name}\t{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
