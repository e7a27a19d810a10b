"""A real control plane for tests: a process of its own on SQLite or PostgreSQL, and clients for each token."""

import os
import secrets
import signal
import ssl
import string
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from support.free_ports import free_port
from support.plain_http import NOBODY
from support.preloaded import PreloadedProcess

PROGRAMS = ("admin", "gateway", "runner", "registry")
PROGRAM = ("mizzen_controlplane",)
START_SECONDS = 100
FIRST_PASSWORD = "one-time-password"
"""Of the local administrator, where a test wants one."""


def write_secrets(folder: Path) -> dict[str, str]:
    """Make a folder of secrets as the supervisor does; returns the tokens by program."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tokens = {program: f"mzt_{program}_{_random_text(43)}" for program in PROGRAMS}
    random = {name: secrets.token_hex(32) for name in ("pepper", "page-key", "files-key", "sealing-key")}
    for name, text in {**tokens, **random}.items():
        path = folder / name
        path.write_text(text)
        path.chmod(0o600)
    return tokens


def _random_text(length: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


@dataclass
class ControlPlane:
    """One control plane: start it, kill it, start it again on the same data."""

    folder: Path
    database_url: str
    port: int = field(default_factory=free_port)
    environment: Mapping[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | PreloadedProcess | None = None
    program: tuple[str, ...] = PROGRAM
    """Modules after `python -m`, with arguments."""
    authority: Path | None = None
    """Of its certificate, where it speaks TLS (MIZZEN_TLS_DIR)."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.tokens:
            self.tokens = write_secrets(self.folder / "secrets")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self.authority else ''}://127.0.0.1:{self.port}"

    @property
    def trusted(self) -> ssl.SSLContext:
        """What its clients trust."""
        return ssl.create_default_context(cafile=str(self.authority)) if self.authority else NOBODY

    @property
    def data_dir(self) -> Path:
        """Its artifacts."""
        return self.folder / "data"

    @property
    def secrets_dir(self) -> Path:
        """Its secrets."""
        return self.folder / "secrets"

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "log").read_text()

    def variables(self) -> dict[str, str]:
        """Its environment."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("MIZZEN_")},
            "MIZZEN_DATABASE_URL": self.database_url,
            "MIZZEN_DATA_DIR": str(self.data_dir),
            "MIZZEN_SECRETS_DIR": str(self.secrets_dir),
            "MIZZEN_HOST": "127.0.0.1",
            "MIZZEN_PORT": str(self.port),
            # Suites walk over all routes as nobody, from one address.
            "MIZZEN_REFUSALS_PER_MINUTE": "1000000",
            **self.environment,
        }

    def start(self) -> Self:
        """Start it and wait until it is ready."""
        self.launch()
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(trust_env=False, verify=self.trusted) as client:
            while time.monotonic() < deadline:
                assert self.process.poll() is None, self.log
                if _answers(client, self.url + "/readyz"):
                    return self
                try:
                    self.process.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
        self.kill()  # whoever wanted it has no end to wait for
        raise AssertionError("the control plane did not start: " + self.log)

    def launch(self) -> None:
        """Start it."""
        if self.program == PROGRAM:
            self.process = PreloadedProcess(self.variables(), self.folder / "log")
            return
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.program], env=self.variables(), stdout=log, stderr=log
            )

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, then wait."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def headers(self, program: str = "admin") -> dict[str, str]:
        """The Authorization header of `program`."""
        return {"Authorization": f"Bearer {self.tokens[program]}"}

    def client(self, program: str = "admin") -> httpx.Client:
        """A client that sends the token of `program`; close it."""
        return httpx.Client(
            base_url=self.url, headers=self.headers(program), trust_env=False, timeout=30, verify=self.trusted
        )

    def async_client(self, program: str = "admin") -> httpx.AsyncClient:
        """The same, async."""
        return httpx.AsyncClient(
            base_url=self.url, headers=self.headers(program), trust_env=False, timeout=30, verify=self.trusted
        )

    def new_project(self, **fields: object) -> str:
        """Make a project of its own for a test; returns its name."""
        name = f"p-{secrets.token_hex(5)}"
        with self.client() as client:
            made = client.post("/api/v1/projects", json={"name": name, **fields})
        assert made.status_code == 201, made.text
        return name

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def sqlite_controlplane(folder: Path, **environment: str) -> Iterator[ControlPlane]:
    """One on SQLite, running."""
    with ControlPlane(folder, f"sqlite+aiosqlite:///{folder / 'controlplane.db'}", environment=environment) as plane:
        yield plane
