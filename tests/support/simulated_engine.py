"""The simulated engine as a process, for tests of what stands before it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from support.free_ports import free_port
from support.gateway import wait_for_http


@contextmanager
def simulated_engine(model: str, *flags: str) -> Iterator[tuple[str, int]]:
    """Yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "mizzen_engines.simulated", "--host", "127.0.0.1", "--port", str(port)]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MIZZEN_")}
    process = subprocess.Popen(
        [*command, "--model", model, *flags], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for_http(f"http://127.0.0.1:{port}/health", process)
        yield "127.0.0.1", port
    finally:
        process.kill()
        process.wait()
