"""Waiting for a deployment to serve its newest spec, with progress on the terminal."""

import time
from typing import Any

from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.status import Status
from rich.table import Table
from rich.text import Text

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.observation import current_conditions, fail_when_refused, observed
from mizzen_cli.output import cell_text, size

POLL_SECONDS = 0.25
BAR_WIDTH = 24


def follow(api: ApiClient, name: str, timeout_seconds: float) -> Json:
    """Wait until the deployment is Ready and up to date, showing what it does.

    Raises:
        CommandError: it stalled (the message says why and what to do), or the time is over (exit code 5).
    """
    deadline = time.monotonic() + timeout_seconds
    console = Console(stderr=True)
    shown = ""
    with console.status(f"{name}: waiting") as status:
        while True:
            deployment = api.get(api.path("deployments", name))
            done = settled(deployment)
            if not done:
                # First of all, so that the reason is not said twice.
                fail_when_refused([deployment])
            shown = _report(console, status, name, deployment, shown)
            if done and _alias_is_followed(api, deployment):
                return deployment
            if time.monotonic() > deadline:
                raise CommandError(f"{name}: not done after {timeout_seconds:g} s. {shown}", ExitCode.TIMED_OUT)
            time.sleep(POLL_SECONDS)


def settled(deployment: Json) -> bool:
    """The newest spec was seen, Ready is True and nothing is under way.

    Not so while it is Stalled: then Ready speaks of what served before, and the newest spec is refused.
    """
    found = current_conditions(deployment["manifest"])
    return found.get("Ready", {}).get("status") == "True" and not found.keys() & {"Reconciling", "Stalled"}


def _alias_is_followed(api: ApiClient, deployment: Json) -> bool:
    """The version that the alias points at now is the one that was resolved: an alias moves without a new spec."""
    manifest = deployment["manifest"]
    reference = manifest["spec"]["model"].get("versionRef") or {}
    if "alias" not in reference:
        return True
    pointed = api.get(api.path("models", reference["model"], "aliases", reference["alias"]))
    return bool(manifest["status"].get("resolvedModel", {}).get("version") == pointed["version"])


def conditions(manifest: Json) -> dict[str, Json]:
    """The conditions by type."""
    return {entry["type"]: entry for entry in (manifest.get("status") or {}).get("conditions", [])}


def phase_text(status: Json) -> str:
    """Start-up phases on one line: `fetch 1.2 s 100%, layout 0.1 s`."""
    phases = (status.get("startup") or {}).get("phases", [])
    return ", ".join(_one_phase(phase) for phase in phases)


def _one_phase(phase: dict[str, Any]) -> str:
    text = f"{phase['name']} {phase.get('seconds', 0):.1f} s"
    if total := phase.get("bytesTotal"):
        text += f" {100 * (phase.get('bytesDone') or 0) // total}%"
    return text


def _report(console: Console, status: Status, name: str, deployment: Json, shown: str) -> str:
    manifest = deployment["manifest"]
    ready = current_conditions(manifest).get("Ready", {})
    reason = f"{ready.get('reason', 'Pending')}: {cell_text(ready.get('message') or 'not looked at yet.')}"
    seen = manifest["status"] if observed(manifest) else {}
    # Text, not markup: brackets in a message are the message's own.
    status.update(with_bar(Text(f"{name}: {reason} {phase_text(seen)}"), seen))
    if reason != shown and not console.is_terminal:
        console.print(Text(f"{name}: {reason}"), highlight=False, soft_wrap=True)
    return reason


def with_bar(text: Text, status: Json) -> RenderableType:
    """What a spinner says: the text, and beside it a bar while weights are fetched."""
    phases = (status.get("startup") or {}).get("phases", [])
    total, done = (phases[-1].get(key) or 0 for key in ("bytesTotal", "bytesDone")) if phases else (0, 0)
    if done >= total:
        return text
    grid = Table.grid(padding=(0, 1))
    grid.add_row(text, ProgressBar(total=total, completed=done, width=BAR_WIDTH), f"{size(done)} of {size(total)}")
    return grid
