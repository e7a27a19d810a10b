"""Has the operator looked at the newest spec of a deployment yet, and does it refuse that spec?"""

import time
from collections.abc import Sequence

import typer

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.errors import CommandError
from mizzen_cli.output import last_line

OBSERVED_SECONDS = 3.0
"""How long a command that does not wait for a deployment waits for the operator's first look at it."""
POLL_SECONDS = 0.1


def observed(manifest: Json) -> bool:
    """The status is about the newest spec."""
    status = manifest.get("status") or {}
    return bool(status.get("observedGeneration") == manifest["metadata"]["generation"])


def current_conditions(manifest: Json) -> dict[str, Json]:
    """The conditions by type, without those that are about an older spec."""
    if not observed(manifest):
        return {}
    newest = manifest["metadata"]["generation"]
    listed = manifest["status"].get("conditions", [])
    return {each["type"]: each for each in listed if each.get("observedGeneration", newest) == newest}


def refusal(name: str, deployment: Json) -> str:
    """Why nothing but a change of the newest spec helps; empty where it is not refused."""
    stalled = current_conditions(deployment["manifest"]).get("Stalled", {})
    if stalled.get("status") != "True":
        return ""
    return (
        f"{name}: {stalled['reason']}: {last_line(stalled['message'])}\n"
        f"The deployment {name} exists and keeps this spec: apply a mended one, or `mizzen delete {name}`. "
        f"See: mizzen describe {name}"
    )


def fail_when_refused(deployments: Sequence[Json]) -> None:
    """Raises CommandError with every refusal."""
    if said := [text for row in deployments if (text := refusal(row["name"], row))]:
        raise CommandError("\n".join(said))


def look_again(api: ApiClient, deployments: Sequence[Json], seconds: float) -> list[Json]:
    """The deployments once the operator has looked at their newest specs, or as they are when `seconds` are over."""
    deadline = time.monotonic() + seconds
    return [_look_again(api, row, deadline) for row in deployments]


def _look_again(api: ApiClient, row: Json, deadline: float) -> Json:
    while not observed(row["manifest"]) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        row = api.get(api.path("deployments", row["name"]))
    if not observed(row["manifest"]):
        name = row["name"]
        typer.echo(f"{name}: not looked at yet; the row tells what was. See: mizzen describe {name}", err=True)
    return row
