"""What is measured? A whole Mizzen in a temporary data folder, one example model on real Triton, all accounted."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mizzen_cli.local.lifecycle import UpOptions, UpResult, down, status, up
from mizzen_cli.local.ports import free_port

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Stack:
    """Where to call."""

    data_dir: Path
    config: Path
    gateway_port: int
    controlplane_url: str
    secret: str
    """Text of an API key."""

    def mizzen(self, *arguments: str) -> str:
        """Run one command; what it printed."""
        return run_mizzen(self.config, *arguments)

    def endpoint(self, name: str) -> tuple[str, int]:
        """Address and port of the engine itself."""
        token = (self.data_dir / "secrets" / "runner").read_text().strip()
        url = f"{self.controlplane_url}/internal/v1/objects/EndpointSet/default/{name}"
        found = httpx.get(url, headers={"authorization": f"Bearer {token}"}, trust_env=False)
        endpoint = found.raise_for_status().json()["spec"]["endpoints"][0]
        return endpoint["address"], endpoint["port"]

    def pid(self, program: str) -> int:
        """Process id of a program."""
        seen = status(self.data_dir)
        assert seen is not None
        return next(one.pid for one in seen.programs if one.name == program and one.pid is not None)

    def gateway_cpu_seconds(self) -> float:
        """CPU that the gateway has used so far."""
        fields = Path(f"/proc/{self.pid('gateway')}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def requests_in_ledger(self) -> int:
        """Requests that the ledger has."""
        rows: list[dict[str, Any]] = json.loads(self.mizzen("usage", "-o", "json"))
        return sum(int(row["requests"]) for row in rows)


def run_mizzen(config: Path, *arguments: str) -> str:
    """Run one `mizzen` command with its own context file."""
    command = [str(Path(sys.executable).with_name("mizzen")), *arguments]
    environment = {**os.environ, "MIZZEN_CONFIG": str(config)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"mizzen {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def digits_on_triton() -> Iterator[Stack]:
    """Start Mizzen, serve examples/digits with six limits, a budget and a price; stop all of it at the end."""
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder:
        config, data_dir = Path(folder) / "config.yaml", Path(folder) / "data"
        port = free_port(set())
        options = UpOptions(data_dir, port, free_port({port}), context_file=config)
        result = up(options, print)
        try:
            yield _serve_digits(options, result, config)
        finally:
            down(data_dir, print)


def _serve_digits(options: UpOptions, result: UpResult, config: Path) -> Stack:
    subprocess.run([sys.executable, "examples/digits/train.py"], cwd=ROOT, check=True)
    run_mizzen(config, "models", "push", "digits", "examples/digits/artifacts/v1", "--alias", "champion")
    run_mizzen(config, "rate-cards", "create", "list-price", "--per-request", "0.0002")
    for number in range(3):
        large = ("--requests", str(10**9 + number), "--window", "60")
        run_mizzen(config, "limits", "create", f"requests-{number}", *large)
        run_mizzen(config, "limits", "create", f"tokens-{number}", "--tokens", str(10**9 + number), "--window", "60")
    run_mizzen(config, "budgets", "create", "month", "--amount", "100000")
    secret = json.loads(run_mizzen(config, "keys", "create", "bench", "-o", "json"))["secret"]
    run_mizzen(config, "apply", "-f", "examples/digits/deployment.yaml", "--wait", "--timeout", "600")
    assert options.gateway_port is not None
    return Stack(options.data_dir, config, options.gateway_port, result.controlplane_url, secret)
