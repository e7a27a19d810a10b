"""`mizzen rollout`: watch a rollout, let a canary step pass, pause it, go back."""

from typing import Annotated

import typer

from mizzen_cli.client import Json
from mizzen_cli.errors import CommandError
from mizzen_cli.output import Column, Format, Output, acknowledge, age, column, show, write
from mizzen_cli.rollout_progress import follow
from mizzen_cli.session import Project, session

app = typer.Typer(help="Rollouts: status, promote, pause, rollback.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of the deployment.")]
REVISION_COLUMNS = (
    column("REVISION", "name"),
    column("VERSION", "modelVersion", spare=True),
    column("STATE"),
    column("REPLICAS"),
    column("READY"),
    Column("TRAFFIC", lambda row: f"{row.get('trafficPercent', 0)}%"),
    Column("AGE", lambda row: age(row.get("createdAt"))),
)


@app.command("status")
def status(
    name: Name,
    wait: Annotated[bool, typer.Option(help="Follow until it has ended.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 1800.0,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Show a rollout, and by default follow it to its end; exit code 5 when that takes too long."""
    with session(project) as api:
        path = api.path("deployments", name)
        deployment = follow(api, name, timeout) if wait else api.get(path)
    observed = deployment["manifest"].get("status", {})
    if output in (Format.JSON, Format.YAML):
        write(observed, output)
        return
    show(observed.get("revisions", []), REVISION_COLUMNS, output)
    if output is Format.TABLE:
        _print_hold(observed)
        _print_pause(deployment["manifest"]["spec"], name)


@app.command("promote")
def promote(name: Name, output: Output = Format.TABLE, project: Project = None) -> None:
    """Let the canary step that waits for a person pass."""
    with session(project) as api:
        changed = api.post(f"{api.path('deployments', name)}:promote")
    acknowledge(f"{name}: promoted. Follow it: mizzen rollout status {name}", changed, output)


@app.command("pause")
def pause(name: Name, output: Output = Format.TABLE, project: Project = None) -> None:
    """Take no further step until resumed."""
    with session(project) as api:
        changed = api.post(f"{api.path('deployments', name)}:pause")
    acknowledge(f"{name}: paused. Go on with: mizzen rollout resume {name}", changed, output)


@app.command("resume")
def resume(name: Name, output: Output = Format.TABLE, project: Project = None) -> None:
    """Go on after a pause."""
    with session(project) as api:
        changed = api.post(f"{api.path('deployments', name)}:resume")
    acknowledge(f"{name}: resumed.", changed, output)


@app.command("restart")
def restart(name: Name, output: Output = Format.TABLE, project: Project = None) -> None:
    """Replace every replica, as a rollout."""
    with session(project) as api:
        changed = api.post(f"{api.path('deployments', name)}:restart")
    acknowledge(f"{name}: restarting. Follow it: mizzen rollout status {name}", changed, output)


@app.command("rollback")
def rollback(
    name: Name,
    wait: Annotated[bool, typer.Option(help="Follow until it has ended.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 1800.0,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Go back to the version that served before: writes spec.model.versionRef in your name, pinned."""
    with session(project) as api:
        changed = api.post(f"{api.path('deployments', name)}:rollback")
        pinned = _version_of(changed)
        if wait:
            changed = follow(api, name, timeout)
    word = "back at" if wait else "goes back to"
    acknowledge(f"{name}: {word} version {pinned}.", changed, output)


def _version_of(deployment: Json) -> int:
    reference = deployment["manifest"]["spec"]["model"].get("versionRef") or {}
    if "version" not in reference:
        raise CommandError("The deployment's model is no version of the registry: change spec.model and apply it.")
    return int(reference["version"])


def _print_hold(observed: Json) -> None:
    progress = observed.get("rollout") or {}
    if reason := progress.get("strategyReason"):
        typer.echo(f"\n{progress.get('strategyInUse')}: {reason}")
    if hold := progress.get("hold"):
        typer.echo(f"Waits at {hold['gate']}: {hold['reason']}")


def _print_pause(spec: Json, name: str) -> None:
    if (spec.get("rollout") or {}).get("mode") == "Paused":
        typer.echo(f"Paused: no further step is taken. Go on with: mizzen rollout resume {name}")
