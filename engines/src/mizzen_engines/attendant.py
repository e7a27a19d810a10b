"""What must happen inside the engine's container beside the engine? Warm-up before it counts as started, and drain.

One file, of the standard library alone and good for any Python from 3.8 on: an init container copies it (`install`) to
where the engine's own image can run it. Probes and hooks then run `python3 "$MIZZEN_ATTENDANT_FILE" started` or
`drain`. Everything it needs is in MIZZEN_* variables (docs/reference/between-programs.md).
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

EXIT_OK = 0
EXIT_NOT_STARTED = 1
EXIT_USAGE = 2
REQUEST_SECONDS = 30.0
POLL_SECONDS = 0.25
SERVER_ERROR = 500
NOT_BY_HTTP = 501
"""Of a Triton model that answers several times (decoupled): nothing here can warm it, its own model_warmup does."""
WARMUP_FILE = "attendant-warmup"
ZEROES: dict[str, Any] = {"BYTES": "", "BOOL": False}


class Engine:
    """The engine next door, by the variables of its container."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Take host, ports, paths and names from the container's environment."""
        self.host = variables.get("POD_IP", "127.0.0.1")
        self.port = int(variables["MIZZEN_HTTP_PORT"])
        self.metrics_port = int(variables.get("MIZZEN_METRICS_PORT") or self.port)
        self.health_path = variables.get("MIZZEN_HEALTH_PATH", "/health")
        self.metrics_path = variables.get("MIZZEN_METRICS_PATH", "/metrics")
        self.model = variables.get("MIZZEN_MODEL_NAME", "")
        self.protocol = variables.get("MIZZEN_PROTOCOL", "OpenAI")
        self.busy_metrics = [
            variables[name] for name in ("MIZZEN_METRIC_RUNNING", "MIZZEN_METRIC_WAITING") if variables.get(name)
        ]

    def ask(
        self, method: str, path: str, body: object = None, port: int = 0, seconds: float = 5.0
    ) -> tuple[int, bytes]:
        """Return status and body. Raises OSError or HTTPException where there is no answer."""
        connection = http.client.HTTPConnection(self.host, port or self.port, timeout=seconds)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def healthy(self) -> bool:
        """Whether it says that it is ready."""
        try:
            return self.ask("GET", self.health_path)[0] < 400
        except (OSError, http.client.HTTPException):
            return False

    def busy(self) -> float | None:
        """Return the requests that it runs and queues; None where it does not tell."""
        try:
            status, body = self.ask("GET", self.metrics_path, port=self.metrics_port)
        except (OSError, http.client.HTTPException):
            return None
        return sum_of(self.busy_metrics, body.decode("utf-8", "replace")) if status == 200 else None

    def listens(self) -> bool:
        """Whether anything answers on its port at all."""
        try:
            self.ask("GET", self.health_path)
        except ConnectionRefusedError:
            return False
        except (OSError, http.client.HTTPException):
            return True
        return True


def sum_of(names: Sequence[str], exposition: str) -> float | None:
    """Add up the samples of some metrics in Prometheus' text format; None where none of them is there."""
    lines = [line for line in exposition.splitlines() if line.split("{", 1)[0].split(" ", 1)[0] in names]
    values = [line.rsplit("}", 1)[1] if "}" in line else line.split(" ", 1)[1] for line in lines]
    return sum(float(value.split()[0]) for value in values) if values else None


def warmup_request(engine: Engine) -> tuple[str, object]:
    """Return path and body of the smallest request that makes the engine compute."""
    if engine.protocol != "OpenInference":
        return "/v1/completions", {"model": engine.model, "prompt": "Warm-up.", "max_tokens": 1}
    _, body = engine.ask("GET", f"/v2/models/{engine.model}")
    inputs = [zero_tensor(one) for one in json.loads(body).get("inputs", [])]
    return f"/v2/models/{engine.model}/infer", {"inputs": inputs}


def zero_tensor(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tensor of zeroes, with one where the size is free."""
    shape: list[int] = [max(1, int(size)) for size in spec["shape"]]
    count = 1
    for size in shape:
        count *= size
    zero = ZEROES.get(spec["datatype"], 0)
    return {"name": spec["name"], "datatype": spec["datatype"], "shape": shape, "data": [zero] * count}


def started(engine: Engine, scratch: Path, wanted: int) -> int:
    """Answer a start-up probe: healthy, and the warm-up requests have been answered. Counts on where it was cut off."""
    if not engine.healthy():
        return EXIT_NOT_STARTED
    counter = scratch / WARMUP_FILE
    done = int(counter.read_text()) if counter.exists() else 0
    try:
        while done < wanted:
            path, body = warmup_request(engine)
            status, _ = engine.ask("POST", path, body, seconds=REQUEST_SECONDS)
            if status >= SERVER_ERROR and status != NOT_BY_HTTP:
                return EXIT_NOT_STARTED
            done += 1
            counter.write_text(str(done))
    except (OSError, http.client.HTTPException, ValueError):
        return EXIT_NOT_STARTED
    if counter.exists():
        counter.unlink()
    return EXIT_OK


def drain(
    engine: Engine,
    budget_seconds: float,
    quiet_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    rest: Callable[[float], None] = time.sleep,
) -> int:
    """Wait until the engine has been empty for `quiet_seconds`, at most `budget_seconds`; always ends well.

    Gateways send nothing new by then, but one may not have heard yet: hence the quiet time. An engine that does not
    tell its load is given the whole budget; one that is gone, none.
    """
    begin = clock()
    quiet_since: float | None = None
    while clock() - begin < budget_seconds:
        load = engine.busy() if engine.busy_metrics else None
        if load is None and not engine.listens():
            return EXIT_OK
        if load == 0:
            quiet_since = clock() if quiet_since is None else quiet_since
            if clock() - quiet_since >= quiet_seconds:
                return EXIT_OK
        else:
            quiet_since = None
        rest(POLL_SECONDS)
    return EXIT_OK


def install(target: Path) -> int:
    """Copy this very file to where the engine's container finds it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(__file__, target)
    return EXIT_OK


def main(arguments: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run one task: install, started or drain."""
    task = arguments[0] if len(arguments) == 1 else ""
    if task == "install":
        return install(Path(variables["MIZZEN_ATTENDANT_FILE"]))
    if task == "started":
        scratch = Path(variables["MIZZEN_SCRATCH_DIR"])
        return started(Engine(variables), scratch, int(variables.get("MIZZEN_WARMUP_REQUESTS") or 0))
    if task == "drain":
        budget = float(variables.get("MIZZEN_DRAIN_SECONDS") or 0)
        return drain(Engine(variables), budget, float(variables.get("MIZZEN_DRAIN_QUIET_SECONDS") or 0))
    sys.stderr.write("usage: attendant.py install|started|drain\n")
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
