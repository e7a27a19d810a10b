"""`mizzen logs`: what a deployment's containers print, as the control plane reads it where the pods run."""

import sys
from typing import Any

from mizzen_cli.client import ApiClient


def print_logs(api: ApiClient, name: str, **asked: Any) -> None:
    """Print each line as it comes; with `follow`, until Ctrl-C. Raises CommandError."""
    for line in api.lines(f"{api.path('deployments', name)}/logs", **asked):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
