"""`mizzen models`: push versions, point aliases at them, compare them."""

from pathlib import Path
from typing import Annotated

import typer

from mizzen_cli.artifact import guess_format, local_files, local_metadata, named_format, upload
from mizzen_cli.client import ApiClient, Json
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.output import Column, Format, Output, age, cell_text, column, shortened, show, show_one, size, write
from mizzen_cli.session import Project, session

app = typer.Typer(help="Models and their versions.", no_args_is_help=True)

Model = Annotated[str, typer.Argument(help="Name of the model.")]
MODEL_COLUMNS = (
    column("NAME"),
    column("LATEST", "latest_version"),
    Column("AGE", lambda row: age(row.get("created_at"))),
)
METADATA_WIDTH = 36
VERSION_COLUMNS = (
    column("VERSION"),
    column("STATE"),
    column("FORMAT"),
    Column("SIZE", lambda row: size(row.get("size_bytes"))),
    column("ALIASES", spare=True),
    Column("METADATA", lambda row: _metadata(row.get("metadata") or {}), spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
    column("REASON", spare=True),
)


@app.command("push")
def push(
    model: Model,
    path: Annotated[Path, typer.Argument(help="File or folder of the artifact.")],
    alias: Annotated[list[str] | None, typer.Option(help="Point this alias at the new version; repeatable.")] = None,
    artifact_format: Annotated[str | None, typer.Option("--format", help="ONNX, Safetensors, GGUF, ...")] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Push a new version: only missing bytes travel; checked by digest; READY when its format holds."""
    files = local_files(path)
    body = {
        "format": named_format(artifact_format) if artifact_format else guess_format(files),
        "files": [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in files],
        "metadata": local_metadata(path),
    }
    with session(project) as api:
        _make_model(api, model)
        created = api.post(api.path("models", model, "versions"), body)
        version_path = api.path("models", model, "versions", str(created["version"]))
        upload(api, version_path, files)
        version = api.post(f"{version_path}:finalize")
        if version["state"] != "READY":
            raise CommandError(f"{model} version {version['version']} is {version['state']}: {version['reason']}")
        for name in alias or []:
            _point(api, model, name, int(version["version"]), force=True)
        version = api.get(version_path)
    show_one(version, VERSION_COLUMNS, output, name="version")


@app.command("list")
def list_models(output: Output = Format.TABLE, project: Project = None) -> None:
    """List the project's models."""
    with session(project) as api:
        show(api.items(api.path("models")), MODEL_COLUMNS, output)


@app.command("versions")
def versions(model: Model, output: Output = Format.TABLE, project: Project = None) -> None:
    """List a model's versions."""
    with session(project) as api:
        show(api.items(api.path("models", model, "versions")), VERSION_COLUMNS, output, name="version")


@app.command("alias")
def alias(
    model: Model,
    name: Annotated[str, typer.Argument(help="Alias, such as champion.")],
    version: Annotated[int, typer.Argument(help="Version that it points at from now on.")],
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Point an alias at a version; deployments that follow it roll out. Fails if someone else just moved it."""
    with session(project) as api:
        moved = _point(api, model, name, version, force=False)
    show_one(moved, (column("NAME"), column("VERSION")), output)


@app.command("aliases")
def aliases(model: Model, output: Output = Format.TABLE, project: Project = None) -> None:
    """List a model's aliases."""
    with session(project) as api:
        show(api.items(api.path("models", model, "aliases")), (column("NAME"), column("VERSION")), output)


@app.command("compare")
def compare(
    model: Model,
    from_version: Annotated[int, typer.Argument(metavar="FROM", help="Version that runs now.")],
    to_version: Annotated[int, typer.Argument(metavar="TO", help="Version that would replace it.")],
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Say what a caller would notice if one version replaced another."""
    with session(project) as api:
        path = f"{api.path('models', model)}:compare"
        answer = api.get(path, **{"from": from_version, "to": to_version})
    if output is not Format.TABLE:
        write(answer, output)
        return
    verdict = "compatible" if answer["compatible"] else "NOT compatible"
    typer.echo(f"{model} {from_version} -> {to_version}: {verdict}")
    for difference in answer["differences"]:
        mark = "breaks callers" if difference["breaking"] else "harmless"
        before, after = cell_text(difference["before"]), cell_text(difference["after"])
        typer.echo(f"  {difference['field']}: {before or 'none'} -> {after or 'none'} ({mark})")


def _metadata(metadata: Json) -> str:
    return shortened(", ".join(f"{key}={value}" for key, value in metadata.items()), METADATA_WIDTH)


def _make_model(api: ApiClient, model: str) -> None:
    try:
        api.get(api.path("models", model))
    except CommandError as error:
        if error.code is not ExitCode.NOT_FOUND:
            raise
        api.post(api.path("models"), {"name": model})


def _point(api: ApiClient, model: str, name: str, version: int, *, force: bool) -> Json:
    path = api.path("models", model, "aliases", name)
    etag = None
    if not force:
        present = {row["name"]: row["etag"] for row in api.items(api.path("models", model, "aliases"))}
        etag = present.get(name)
    return api.put(path, {"version": version}, if_match=etag)
