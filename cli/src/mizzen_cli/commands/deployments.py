"""`mizzen apply|diff|get|describe|why|logs|delete|deploy`: deployments, as manifests or by shortcut."""

from pathlib import Path
from typing import Annotated

import typer

from mizzen_cli.causes import cause_lines
from mizzen_cli.client import ApiClient, Json
from mizzen_cli.description import describe_lines
from mizzen_cli.difference import difference
from mizzen_cli.logs import print_logs
from mizzen_cli.manifests import check_manifest, read_manifests
from mizzen_cli.observation import OBSERVED_SECONDS, fail_when_refused, look_again
from mizzen_cli.output import Column, Format, Output, acknowledge, age, column, show, show_one, write
from mizzen_cli.reference import check_reference, parse_reference
from mizzen_cli.rollout_progress import conditions, follow
from mizzen_cli.session import Project, session
from mizzen_cli.watching import watch

Name = Annotated[str, typer.Argument(help="Name of the deployment.")]
Wait = Annotated[bool, typer.Option(help="Wait until it serves, with progress.")]
File = Annotated[Path, typer.Option("-f", "--file", help="Manifest, a folder of them, or - for standard input.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait at most; without --wait 3 at most, for a refusal.")]


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
    for command in (apply, diff, get, describe, why, logs, delete, deploy):
        app.command(command.__name__)(command)


def apply(
    file: File,
    wait: Wait = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Have the server check it all, and write nothing.")
    ] = False,
    timeout: Timeout = 1800.0,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Create or update deployments from YAML. Everything is checked before anything is sent, the version too."""
    manifests = read_manifests(file)
    with session(project) as api:
        for manifest in manifests:
            _check_version(api, manifest)
        applied = [_put(api, manifest, dry_run=dry_run) for manifest in manifests]
        if dry_run:
            typer.echo("Nothing is written: this is what would be.", err=True)
        elif wait:
            applied = [follow(api, row["name"], timeout) for row in applied]
        else:
            applied = look_again(api, applied, min(timeout, OBSERVED_SECONDS))
    show(applied, COLUMNS, output)
    fail_when_refused([] if dry_run else applied)


def diff(file: File, project: Project = None) -> None:
    """Say what `mizzen apply` would change, and write nothing. Exit code 0: nothing, 1: something, as of diff."""
    manifests = read_manifests(file)
    changes = False
    with session(project) as api:
        for manifest in manifests:
            _check_version(api, manifest)
            name = manifest["metadata"]["name"]
            stored = next((row for row in api.items(api.path("deployments")) if row["name"] == name), None)
            wanted = _put(api, manifest, dry_run=True)["manifest"]
            for line in difference(name, stored and stored["manifest"], wanted):
                changes = True
                typer.echo(line)
    if changes:
        raise typer.Exit(1)


def get(
    name: Annotated[str | None, typer.Argument(help="Name; all without it.")] = None,
    watched: Annotated[bool, typer.Option("-w", "--watch", help="Go on printing rows that change.")] = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """List deployments, or show one. -o yaml prints the manifest."""
    with session(project) as api:
        if watched:
            watch(lambda: _rows(api, name), COLUMNS)
        if name is None:
            rows = list(api.items(api.path("deployments")))
            show(rows if output in (Format.TABLE, Format.NAME) else (row["manifest"] for row in rows), COLUMNS, output)
            return
        row = api.get(api.path("deployments", name))
    show_one(row if output in (Format.TABLE, Format.NAME) else row["manifest"], COLUMNS, output)


def _rows(api: ApiClient, name: str | None) -> list[Json]:
    return [api.get(api.path("deployments", name))] if name else list(api.items(api.path("deployments")))


def describe(name: Name, output: Output = Format.TABLE, project: Project = None) -> None:
    """Say what a deployment does, since when, what blocks it and what to do about it."""
    with session(project) as api:
        row = api.get(api.path("deployments", name))
        events = api.get(f"{api.path('deployments', name)}/events")["items"]
    if output in (Format.JSON, Format.YAML):
        write({"manifest": row["manifest"], "events": events}, output)
        return
    lines = [row["name"]] if output is Format.NAME else describe_lines(row, events)
    for line in lines:
        typer.echo(line)


def why(name: Name, output: Output = Format.TABLE, project: Project = None) -> None:
    """Say what stands in a deployment's way, the first cause first, and what to do about it."""
    with session(project) as api:
        answer = api.get(f"{api.path('deployments', name)}/why")
    if output in (Format.JSON, Format.YAML):
        write(answer, output)
        return
    for line in [name] if output is Format.NAME else cause_lines(name, answer):
        typer.echo(line)


def logs(
    name: Name,
    follow_on: Annotated[bool, typer.Option("-f", "--follow", help="Go on, with pods made meanwhile too.")] = False,
    pod: Annotated[str | None, typer.Option(help="Only this pod.")] = None,
    container: Annotated[str | None, typer.Option("-c", "--container", help="Only this container.")] = None,
    tail: Annotated[int, typer.Option(help="Lines of each container to begin with; -1: all.")] = 50,
    project: Project = None,
) -> None:
    """Print what a deployment's containers print, on this machine or in a cluster."""
    with session(project) as api:
        print_logs(api, name, pod=pod, container=container, tail=tail, follow=follow_on or None)


def delete(name: Name, output: Output = Format.TABLE, project: Project = None) -> None:
    """Delete a deployment. Does not wait: its pods finish their requests and go."""
    with session(project) as api:
        api.delete(api.path("deployments", name))
    sentence = f"{name}: deleted. Its pods finish their requests and go; `mizzen status` lists those still there."
    acknowledge(sentence, {"name": name}, output)


def deploy(
    name: Name,
    model: Annotated[str, typer.Option(help="MODEL, MODEL@ALIAS or MODEL@NUMBER; default alias: champion.")],
    engine: Annotated[str, typer.Option(help="Triton, vLLM, Simulated or Custom.")] = "Triton",
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
        "spec": {
            "model": {"versionRef": parse_reference(model)},
            "engine": {"type": _engine(engine)},
            "replicas": replicas,
        },
    }
    check_manifest(manifest, f"mizzen deploy {name}")
    with session(project) as api:
        _check_version(api, manifest)
        row = _put(api, manifest)
        if wait:
            row = follow(api, name, timeout)
        else:
            (row,) = look_again(api, [row], min(timeout, OBSERVED_SECONDS))
    show_one(row, COLUMNS, output)
    fail_when_refused([row])


def _put(api: ApiClient, manifest: Json, *, dry_run: bool = False) -> Json:
    path = api.path("deployments", manifest["metadata"]["name"])
    return api.put(path, manifest, dry_run=True if dry_run else None)


def _check_version(api: ApiClient, manifest: Json) -> None:
    if reference := manifest["spec"]["model"].get("versionRef"):
        check_reference(api, reference)


def _engine(text: str) -> str:
    # The types take a third of a second to load, and no other command needs them.
    from mizzen_crds.v1alpha1.model_deployment.workload import EngineType

    return next((each.value for each in EngineType if each.value.lower() == text.lower()), text)
