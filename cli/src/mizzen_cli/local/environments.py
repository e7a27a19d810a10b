"""Environments of engines: made once from a runtime's `local` section, outside the project's own, for all pods."""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from mizzen_crds.v1alpha1.serving_runtime import LocalEnvironment

from mizzen_cli.local.pod.sandbox import FOLDER_MARKER
from mizzen_cli.local.spawn import STANDARD_PATH, base_environment, installer_environment

LOCK_POLL_SECONDS = 0.2
LAST_LINES = 6
REMEDY = (
    "check the way to the package index (UV_INDEX_URL, UV_DEFAULT_INDEX, HTTPS_PROXY) and the free disk space, then "
    "`mizzen engines install {name}`"
)
Report = Callable[[str], None]
"""Takes one line of progress for people."""


class EnvironmentMissingError(Exception):
    """The environment could not be made; the text says why and what to do."""


class Environments:
    """All environments of a machine's user."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def path(self, local: LocalEnvironment) -> Path:
        """Where the environment is or would be; another content, another path."""
        return self._cache / fingerprint(local)

    def bin_folder(self, local: LocalEnvironment) -> Path:
        """What PATH begins with in the environment; the platform's own where no package is named."""
        return self.path(local) / "bin" if local.packages else platform_bin()

    def ready(self, local: LocalEnvironment) -> bool:
        """It exists, whole."""
        return not local.packages or self.path(local).is_dir()

    async def make(self, name: str, local: LocalEnvironment, report: Report) -> Path:
        """Make the environment unless it exists; two makers wait for each other.

        Raises:
            EnvironmentMissingError: an installer failed; its last lines and the remedy.
        """
        target = self.path(local)
        if self.ready(local):
            return target
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            async with exclusive(self._cache / f".{target.name}.lock"):
                if self.ready(local):
                    return target
                draft = self._cache / f".{target.name}.draft"
                shutil.rmtree(draft, ignore_errors=True)
                await install(name, local, draft, report)
                draft.rename(target)
        except OSError as error:
            raise EnvironmentMissingError(
                f"the environment of {name} cannot be written to {self._cache} ({error.strerror}); free disk space or "
                "set XDG_CACHE_HOME to a folder with room"
            ) from error
        report(f"environment of {name} is ready in {target}")
        return target

    def remove(self, local: LocalEnvironment) -> None:
        """Remove it; pods that still run from it break at their next start."""
        shutil.rmtree(self.path(local), ignore_errors=True)


def default_cache() -> Path:
    """`mizzen/environments` in the XDG cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mizzen" / "environments"


def platform_bin() -> Path:
    """Folder of the interpreter that runs this program."""
    return Path(sys.executable).parent


def lock_text(local: LocalEnvironment) -> str:
    """Content of the lock file that the section names; empty without one or where this release lacks it."""
    if not local.lock:
        return ""
    file = files("mizzen_engines").joinpath("environments", local.lock)
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def fingerprint(local: LocalEnvironment) -> str:
    """Sixteen hexadecimal digits over all that the environment is made from."""
    made_from = [sys.version_info[:2], local.packages, local.overrides, local.prepare, lock_text(local)]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:16]


async def install(name: str, local: LocalEnvironment, draft: Path, report: Report) -> None:
    """Make the environment in `draft`. Raises EnvironmentMissingError."""
    environment = {**base_environment(), **installer_environment(), "UV_NO_PROGRESS": "1"}
    if mark := os.environ.get(FOLDER_MARKER):
        environment[FOLDER_MARKER] = mark  # so that `mizzen down` finds an installer whose runner was killed
    uv = find_uv()
    size = f", about {local.size_bytes / 1e9:.1f} GB" if local.size_bytes else ""
    report(f"making the environment of {name} ({', '.join(local.packages)}{size})")
    # Relocatable, because it is renamed when it is complete.
    await run(
        name, [uv, "venv", "--relocatable", "--no-project", "--python", sys.executable, str(draft)], environment, report
    )
    packages = [uv, "pip", "install", "--python", str(draft / "bin" / "python")]
    await run(name, [*packages, *requirements(local, draft)], environment, report)
    if local.prepare:
        command = [sys.executable if local.prepare[0] == "python" else local.prepare[0], *local.prepare[1:]]
        await run(name, command, {**environment, "MIZZEN_ENVIRONMENT_DIR": str(draft)}, report)


def requirements(local: LocalEnvironment, draft: Path) -> list[str]:
    """What to install: exactly the lock where there is one, else the packages with their overrides."""
    if lock := lock_text(local):
        (draft / "requirements.lock").write_text(lock)
        return ["--require-hashes", "--no-deps", "-r", str(draft / "requirements.lock")]
    if local.overrides:
        (draft / "overrides.txt").write_text("\n".join(local.overrides))
        return [*local.packages, "--override", str(draft / "overrides.txt")]
    return list(local.packages)


def find_uv() -> str:
    """The `uv` beside this interpreter, or on the path."""
    beside = platform_bin() / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv") or shutil.which("uv", path=STANDARD_PATH)
    if found is None:
        raise EnvironmentMissingError("no `uv` beside the interpreter or on PATH; install it: pip install uv")
    return found


async def run(name: str, argv: Sequence[str], environment: Mapping[str, str], report: Report) -> None:
    """Run an installer, passing its lines on. Raises EnvironmentMissingError with the last ones."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None, "a pipe was asked for"
    last: list[str] = []
    try:
        async for line in process.stdout:
            text = line.decode(errors="replace").rstrip()
            last = [*last, text][-LAST_LINES:]
            report(text)
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code:
        raise EnvironmentMissingError(
            f"the environment of {name} could not be made: {' '.join(last)}; {REMEDY.format(name=name)}"
        )


@asynccontextmanager
async def exclusive(path: Path) -> AsyncIterator[None]:
    """Hold a lock file, waiting for whoever holds it."""
    with path.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(LOCK_POLL_SECONDS)
        yield
