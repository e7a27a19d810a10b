"""`mizzen apply|get|describe|logs|delete|deploy`: deployments, as manifests or by shortcut."""

from pathlib import Path
from typing import Annotated

import typer

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.description import describe_lines
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.logs import print_logs
from mizzen_cli.manifests import read_manifests
from mizzen_cli.output import Column, Format, Output, age, column, show, show_one
from mizzen_cli.rollout_progress import conditions, follow
from mizzen_cli.session import Project, current_context, session

Name = Annotated[str, typer.Argument(help="Name of the deployment.")]
Wait = Annotated[bool, typer.Option(help="Wait until it serves, with progress.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait at most.")]


def _ready(row: Json) -> Json:
    return conditions(row["manifest"]).get("Ready", {})


def _replicas(row: Json) -> str:
    status = row["manifest"].get("status") or {}
    return f"{status.get('readyReplicas', 0)}/{status.get('desiredReplicas', 0)}"


def _model(row: Json) -> str:
    source = row["manifest"]["spec"]["model"]
    reference = source.get("versionRef")
    if not reference:
        return str(source.get("uri", ""))
    return f"{reference['model']}@{reference.get('alias') or reference.get('version')}"


COLUMNS = (
    column("NAME"),
    Column("READY", lambda row: _ready(row).get("status", "Unknown")),
    Column("REASON", lambda row: _ready(row).get("reason", "Pending")),
    Column("REPLICAS", _replicas),
    Column("MODEL", _model),
    column("ENGINE", "manifest", "spec", "engine", "type"),
    Column("AGE", lambda row: age(row.get("created_at"))),
)


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    for command in (apply, get, describe, logs, delete, deploy):
        app.command(command.__name__)(command)


def apply(
    file: Annotated[Path, typer.Option("-f", "--file", help="Manifest, or a folder of them.")],
    wait: Wait = False,
    timeout: Timeout = 1800.0,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Create or update deployments from YAML. Everything is checked before anything is sent."""
    with session(project) as api:
        applied = [_put(api, manifest) for manifest in read_manifests(file)]
        if wait:
            applied = [follow(api, row["name"], timeout) for row in applied]
    show(applied, COLUMNS, output)


def get(
    name: Annotated[str | None, typer.Argument(help="Name; all without it.")] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """List deployments, or show one. -o yaml prints the manifest."""
    with session(project) as api:
        if name is None:
            rows = list(api.items(api.path("deployments")))
            show(rows if output in (Format.TABLE, Format.NAME) else (row["manifest"] for row in rows), COLUMNS, output)
            return
        row = api.get(api.path("deployments", name))
    show_one(row if output in (Format.TABLE, Format.NAME) else row["manifest"], COLUMNS, output)


def describe(name: Name, project: Project = None) -> None:
    """Say what a deployment does, since when, what blocks it and what to do about it."""
    with session(project) as api:
        row = api.get(api.path("deployments", name))
        events = api.get(f"{api.path('deployments', name)}/events")["items"]
    for line in describe_lines(row, events):
        typer.echo(line)


def logs(
    name: Name,
    follow_on: Annotated[bool, typer.Option("-f", "--follow", help="Go on printing as they grow.")] = False,
    container: Annotated[str | None, typer.Option("-c", "--container", help="Only this container.")] = None,
    tail: Annotated[int, typer.Option(help="Lines of each file to begin with.")] = 50,
    project: Project = None,
) -> None:
    """Print the logs of a deployment's pods."""
    context = current_context(project)
    with session(project) as api:
        api.get(api.path("deployments", name))
    if not context.data_dir:
        raise CommandError("Logs are read on the machine that `mizzen up` ran on: run it there.", ExitCode.USAGE)
    print_logs(Path(context.data_dir), context.project, name, container, tail, follow=follow_on)


def delete(name: Name, project: Project = None) -> None:
    """Delete a deployment; its pods finish their requests first."""
    with session(project) as api:
        api.delete(api.path("deployments", name))
    typer.echo(f"{name} deleted")


def deploy(
    name: Name,
    model: Annotated[str, typer.Option(help="MODEL, MODEL@ALIAS or MODEL@NUMBER; default alias: champion.")],
    engine: Annotated[str, typer.Option(help="Triton, vLLM or Simulated.")] = "Triton",
    replicas: Annotated[int, typer.Option(help="Replicas.")] = 1,
    wait: Wait = True,
    timeout: Timeout = 1800.0,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Deploy a version without writing YAML. `mizzen get NAME -o yaml` prints the manifest to go on with."""
    manifest: Json = {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"model": {"versionRef": _reference(model)}, "engine": {"type": engine}, "replicas": replicas},
    }
    with session(project) as api:
        row = _put(api, manifest)
        if wait:
            row = follow(api, name, timeout)
    show_one(row, COLUMNS, output)


def _put(api: ApiClient, manifest: Json) -> Json:
    return api.put(api.path("deployments", manifest["metadata"]["name"]), manifest)


def _reference(text: str) -> Json:
    model, _, wanted = text.partition("@")
    if wanted.isdigit():
        return {"model": model, "version": int(wanted)}
    return {"model": model, "alias": wanted or "champion"}
