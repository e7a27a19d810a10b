"""curl as a program, as people use it."""

import shutil
import subprocess

CURL = shutil.which("curl")


def curl(*arguments: str) -> tuple[str, str]:
    """Status and body."""
    assert CURL is not None, "curl is not installed; install it"
    done = subprocess.run(
        [CURL, "-sS", "--noproxy", "*", "-w", "\n%{http_code}", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    body, _, status = done.stdout.rpartition("\n")
    return status, body
