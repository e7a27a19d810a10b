"""A real S3-compatible server for tests: versitygw over a folder, which may be stopped and started again."""

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from cluster.build import built
from obstore.store import S3Store
from support.free_ports import free_port

START_SECONDS = 60
ACCESS, SECRET = "mizzen", "a-secret-of-the-tests"
BUCKET = "models"


@dataclass
class ObjectServer:
    """One server with one bucket."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """Lines of the requests that it answered."""
        return (self.folder / "log").read_text()

    def environment(self, *, direct: bool = False) -> dict[str, str]:
        """What a control plane is told of it."""
        secrets = self.folder / "secrets"
        secrets.mkdir(exist_ok=True)
        (secrets / "access_key_id").write_text(ACCESS)
        (secrets / "secret_access_key").write_text(SECRET)
        return {
            "MIZZEN_ARTIFACTS_URL": f"s3://{BUCKET}/here",
            "MIZZEN_ARTIFACTS_ENDPOINT": self.url,
            "MIZZEN_ARTIFACTS_REGION": "us-east-1",
            "MIZZEN_ARTIFACTS_SECRETS_DIR": str(secrets),
            "MIZZEN_ARTIFACTS_DIRECT": str(int(direct)),
        }

    def store(self) -> S3Store:
        """The bucket, as any client sees it."""
        return S3Store(
            BUCKET, endpoint=self.url, region="us-east-1", access_key_id=ACCESS, secret_access_key=SECRET,
            virtual_hosted_style_request=False, client_options={"allow_http": True},
        )  # fmt: skip

    def start(self) -> Self:
        """Start it and wait until it answers."""
        (self.folder / "buckets" / BUCKET).mkdir(parents=True, exist_ok=True)
        command = [built("versitygw")["versitygw"], "--port", f"127.0.0.1:{self.port}", "--health", "/health"]
        keys = {"ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "posix", self.folder / "buckets"],
                env={**os.environ, **keys}, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log
            if _answers(self.url + "/health"):
                return self
            try:
                self.process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        self.stop()
        raise AssertionError("versitygw did not start: " + self.log)

    def stop(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
