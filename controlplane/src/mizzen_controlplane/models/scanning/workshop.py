"""Forks a process for each scan, bounded in memory and time: `python -m mizzen_controlplane.models.scanning.workshop`.

It reads from the socket on standard input: each message carries the end of a pair of sockets, over which the forked
process gets one job as JSON and gives its findings. Once loaded, a scan costs a fork, not a start of Python. It ends
when the socket does, so when the control plane does.
"""

import gc
import json
import os
import resource
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from mizzen_controlplane.models.scanning.scan import Asked, scan

MEMORY_BYTES: Final = 1 << 30
CPU_SECONDS: Final = 240
WALL_SECONDS: Final = 300


def main() -> None:
    """Fork for each message until there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries the dead
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the control plane, which then closes the socket
    gc.freeze()
    asking = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    while True:
        message, ends, _flags, _address = socket.recv_fds(asking, 1, 1)
        if not message:
            return
        (end,) = ends
        if os.fork() == 0:
            asking.close()
            try:
                _serve(end)
            finally:
                os._exit(0)  # an error too: whoever asked is told by the end of the connection
        os.close(end)


def _serve(end: int) -> None:
    """One job. The limits hold before the first foreign byte is read."""
    confine()
    with socket.socket(fileno=end) as pair:
        asked = bytearray()
        while chunk := pair.recv(1 << 16):
            asked += chunk
        pair.sendall(json.dumps(answer(json.loads(asked))).encode())


def confine(memory_bytes: int = MEMORY_BYTES) -> None:
    """Bound this process: memory, time, no file written, nothing executed that needs a new process."""
    signal.alarm(WALL_SECONDS)
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(what, (most, most))


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Findings for a job, both as plain JSON."""
    files = [Asked(path, Path(content), size) for path, content, size in job["files"]]
    found = scan(files, allow_code=bool(job["allow_code"]))
    return {"findings": [asdict(finding) for finding in found.kept], "left_out": found.left_out}


if __name__ == "__main__":
    main()
