"""A real Triton server for tests: its environment, made once for all runs, and a process at an address of its own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mizzen_cli.local.address import claim_address
from mizzen_cli.local.environments import Environments, default_cache
from mizzen_operator.runtimes.builtin import builtin_runtimes

START_SECONDS = 60.0
PORTS = {"http": 8000, "grpc": 8001, "metrics": 8002}


@dataclass(frozen=True)
class RunningTriton:
    """A server that is ready."""

    address: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def url(self) -> str:
        """host:port of the HTTP port, as tritonclient wants it."""
        return f"{self.address}:{PORTS['http']}"


def tritonserver() -> Path:
    """The command; its environment is made at the first use, by the lock that the product uses."""
    local = builtin_runtimes()["triton"].spec.local
    environments = Environments(default_cache())
    return asyncio.run(environments.make("triton", local, _show)) / "bin" / "tritonserver"


def lay_out(source: Path, repository: Path, name: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the layout step as an init container does."""
    environment = {
        "PATH": os.environ["PATH"],
        "MIZZEN_MODEL_DIR": str(source),
        "MIZZEN_REPOSITORY_DIR": str(repository),
        "MIZZEN_MODEL_FORMAT": "ONNX",
        "MIZZEN_MODEL_NAME": name,
        **variables,
    }
    command = [sys.executable, "-m", "mizzen_engines.triton"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@contextmanager
def running_triton(repository: Path, log: Path, *flags: str) -> Iterator[RunningTriton]:
    """Start a server with the repository, wait until it is ready, and leave no process behind."""
    claim = claim_address(f"triton-{os.getpid()}-{repository}")
    command = [str(tritonserver()), f"--model-repository={repository}", "--model-control-mode=none", *flags]
    command += [f"--{name}-address={claim.address}" for name in PORTS]
    command += [f"--{name}-port={number}" for name, number in PORTS.items()]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--exit-on-error=true", "--allow-gpu-metrics=false"],
            env={"PATH": "/usr/bin:/bin", "HOME": str(log.parent)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until_ready(claim.address, process, log)
        yield RunningTriton(claim.address, process, log)
    finally:
        _end(process)
        claim.release()


def wait_until_ready(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return once the models answer; fail with the log's end where the server ends first."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-2000:]
        if _answers(f"http://{address}:{PORTS['http']}/v2/health/ready"):
            return
        time.sleep(0.05)
    raise AssertionError(f"Triton was not ready within {START_SECONDS} s: {log.read_text()[-2000:]}")


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def _end(process: "subprocess.Popen[bytes]") -> None:
    # The whole session: the Python backend's stubs are processes of their own.
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _show(line: str) -> None:
    sys.stderr.write(f"triton environment: {line}\n")
