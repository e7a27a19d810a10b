"""An OpenTelemetry Collector as a process: takes OTLP over HTTP, and gives what it took to an URL, as OTLP in JSON."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from support.free_ports import free_port
from support.pods import wait_until


def configuration(port: int, to: str) -> dict[str, Any]:
    """What it does."""
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"otlp_http": {"encoding": "json", "compression": "none", "traces_endpoint": to}},
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp_http"]}}},
    }


@contextmanager
def collector_process(program: Path, folder: Path, to: str) -> Iterator[str]:
    """Yields the URL that takes spans; they go on to `to`. Its log is `collector.log` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / "collector.yaml").write_text(json.dumps(configuration(port, to)))  # JSON is YAML
    with (folder / "collector.log").open("wb") as log:
        process = subprocess.Popen([program, "--config", folder / "collector.yaml"], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/v1/traces"
    try:
        wait_until(lambda: _takes_spans(url, process), what="a collector that takes spans")
        yield url
    except BaseException:
        sys.stderr.write((folder / "collector.log").read_text()[-4000:])
        raise
    finally:
        process.kill()
        process.wait()


def _takes_spans(url: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, f"the collector ended with {process.returncode}"
    try:
        # A request without a span.
        answer = httpx.post(url, content=b"", headers={"content-type": "application/x-protobuf"}, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.status_code == 200
