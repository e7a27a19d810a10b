"""`mizzen models`: push versions, point aliases at them, compare them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mizzen_cli.artifact import (
    LocalFile,
    guess_format,
    local_files,
    local_metadata,
    named_format,
    told_format,
)
from mizzen_cli.before_push import HOW_TO, check_alias, check_model_name, refuse_pickles
from mizzen_cli.client import ApiClient, Json
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.output import (
    Column,
    Format,
    Output,
    acknowledge,
    age,
    cell_text,
    column,
    shortened,
    show,
    show_one,
    size,
    write,
)
from mizzen_cli.session import Project, session
from mizzen_cli.upload import finalize, unfinished, upload
from mizzen_cli.version_text import find_version, version_lines

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

app = typer.Typer(help="Models and their versions.", no_args_is_help=True)

Model = Annotated[str, typer.Argument(help="Name of the model.")]
MODEL_COLUMNS = (
    column("NAME"),
    column("LATEST", "latest_version"),
    Column("AGE", lambda row: age(row.get("created_at"))),
)
METADATA_WIDTH = 36
REASON_WIDTH = 48
"""`mizzen models show` has all of it."""
VERSION_COLUMNS = (
    column("VERSION"),
    column("STATE"),
    column("FORMAT"),
    Column("SIZE", lambda row: size(row.get("size_bytes"))),
    column("ALIASES", spare=True),
    Column("METADATA", lambda row: _metadata(row.get("metadata") or {}), spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
    Column("REASON", lambda row: shortened(row.get("reason") or "", REASON_WIDTH), spare=True),
)


@app.command("push")
def push(
    model: Model,
    path: Annotated[Path, typer.Argument(help="File or folder of the artifact.")],
    alias: Annotated[list[str] | None, typer.Option(help="Point this alias at the new version; repeatable.")] = None,
    artifact_format: Annotated[str | None, typer.Option("--format", help="ONNX, Safetensors, GGUF, ...")] = None,
    sign_with: Annotated[
        Path | None, typer.Option(help="Private ed25519 key, PEM: the version is signed before aliases move.")
    ] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Push a new version: only missing bytes travel; checked by digest; READY when its format holds.

    A push that broke off goes on where it stopped: push the same files again.
    """
    check_model_name(model)
    for name in alias or []:
        check_alias(name)
    files = local_files(path)
    body = _announcement(path, files, artifact_format)
    key = _private_key(sign_with)
    with session(project) as api:
        make_model(api, model)
        created = unfinished(api, model, body["format"], files)
        if created is None:
            created = api.post(api.path("models", model, "versions"), body)
        else:
            typer.echo(f"Going on with version {created['version']}, whose push broke off.", err=True)
        version_path = api.path("models", model, "versions", str(created["version"]))
        upload(api, version_path, created, files)
        version = finalize(api, version_path, files)
        if version["state"] != "READY":
            raise CommandError(
                f"{model} version {version['version']} is {version['state']}: {version['reason']}{_allowance(version)}"
            )
        if key is not None:
            _sign(api, version, key, files)
        for name in alias or []:
            _point(api, model, name, int(version["version"]), force=True)
        version = api.get(version_path)
        same = _same_content(api, model, version)
    show_one(version, VERSION_COLUMNS, output, name="version")
    if same:
        typer.echo(
            f"Same content as version {same}: a deployment takes both for one revision, and nothing restarts.",
            err=True,
        )


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


@app.command("show")
def show_version(
    reference: Annotated[
        str, typer.Argument(metavar="MODEL[@VERSION]", help="Version by number or alias; the newest.")
    ],
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Show a version: its files, and its signature, which says what `mizzen infer` takes and gives."""
    with session(project) as api:
        version = find_version(api, reference)
    if output in (Format.JSON, Format.YAML):
        write(version, output)
        return
    for line in [version["version"]] if output is Format.NAME else version_lines(version):
        typer.echo(line)


@app.command("archive")
def archive(
    model: Model,
    version: Annotated[int, typer.Argument(help="Version to take out of use.")],
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Take a version out of use: nothing new resolves to it. Its files stay, and so does what serves it now."""
    with session(project) as api:
        done = api.post(f"{api.path('models', model, 'versions', str(version))}:archive")
    show_one(done, VERSION_COLUMNS, output, name="version")


@app.command("unalias")
def unalias(
    model: Model,
    name: Annotated[str, typer.Argument(help="Alias to delete.")],
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Delete an alias; the version that it pointed at stays."""
    with session(project) as api:
        api.delete(api.path("models", model, "aliases", name))
    acknowledge(f"{model}@{name}: no longer an alias.", {"name": name}, output)


@app.command("alias")
def alias(
    model: Model,
    name: Annotated[str, typer.Argument(help="Alias, such as champion.")],
    version: Annotated[int, typer.Argument(help="Version that it points at from now on.")],
    force: Annotated[
        bool, typer.Option("--force", help="Whatever the model asks of promotions; needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why it is forced, for the audit trail.")] = "",
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Point an alias at a version; deployments that follow it roll out. Fails if someone else just moved it."""
    if force != bool(reason.strip()):
        raise CommandError("--force and --reason go together.", ExitCode.USAGE)
    with session(project) as api:
        if force:
            path = f"{api.path('models', model, 'aliases', name)}:force"
            moved = api.post(path, {"version": version, "reason": reason})
        else:
            moved = _point(api, model, name, version, force=False)
    show_one(moved, (column("NAME"), column("VERSION")), output)


@app.command("aliases")
def aliases(model: Model, output: Output = Format.TABLE, project: Project = None) -> None:
    """List a model's aliases."""
    with session(project) as api:
        show(api.items(api.path("models", model, "aliases")), (column("NAME"), column("VERSION")), output)


@app.command("promotion")
def promotion(
    model: Model,
    compatible: Annotated[
        bool | None, typer.Option("--compatible/--any-signature", help="Whether a move may break callers.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric that a version must have a result of; with --min, --max.")
    ] = None,
    least: Annotated[float | None, typer.Option("--min", help="The least value of --metric.")] = None,
    most: Annotated[float | None, typer.Option("--max", help="The most, where less is better.")] = None,
    anything: Annotated[bool, typer.Option("--anything", help="Ask nothing any more.")] = False,
    output: Output = Format.YAML,
    project: Project = None,
) -> None:
    """Show what the model's aliases may be moved to; the options change it."""
    with session(project) as api:
        path = api.path("models", model)
        asked: Json = dict(api.get(path).get("promotion") or {"require": None, "evaluation": None})
        if compatible is not None:
            asked["require"] = "compatible-signature" if compatible else None
        if metric is not None:
            asked["evaluation"] = {"metric": metric, "min": least, "max": most}
        if anything or compatible is not None or metric is not None:
            api.patch(path, {"promotion": None if anything else asked})
            asked = {} if anything else asked
    write(asked, Format.YAML if output is Format.TABLE else output)


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
    typer.echo(f"{model} {from_version} -> {to_version}: {verdict}; signature {answer.get('signature', 'unknown')}")
    for difference in answer["differences"]:
        mark = (
            "breaks callers" if difference["breaking"] else "no way back" if difference.get("widening") else "harmless"
        )
        before, after = cell_text(difference["before"]), cell_text(difference["after"])
        typer.echo(f"  {difference['field']}: {before or 'none'} -> {after or 'none'} ({mark})")


def _metadata(metadata: Json) -> str:
    return shortened(", ".join(f"{key}={value}" for key, value in metadata.items()), METADATA_WIDTH)


def _announcement(path: Path, files: list[LocalFile], artifact_format: str | None) -> Json:
    """What the registry is told of a version before its bytes.

    Raises:
        CommandError: a file, the format or the metadata is none that it takes.
    """
    if artifact_format:
        format_name = named_format(artifact_format)
        refuse_pickles(files, format_name)
    else:
        refuse_pickles(files, told_format(files))
        format_name = guess_format(files)
    return {
        "format": format_name,
        "files": [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in files],
        "metadata": local_metadata(path),
    }


def _allowance(version: Json) -> str:
    """How code is allowed, where that is why the version failed."""
    if "llow code" not in version["reason"]:
        return ""
    return f" Allow it with `mizzen projects update {version['project']} --allow-code`; see {HOW_TO}."


def _same_content(api: ApiClient, model: str, version: Json) -> int:
    """The newest version before this one that holds the same files; 0 for none."""
    for other in api.items(api.path("models", model, "versions")):
        if other["digest"] == version["digest"] and other["version"] < version["version"] and other["state"] == "READY":
            return int(other["version"])
    return 0


def make_model(api: ApiClient, model: str) -> None:
    """Make the model, unless there is one."""
    try:
        api.get(api.path("models", model))
    except CommandError as error:
        if error.code is not ExitCode.NOT_FOUND:
            raise
        api.post(api.path("models"), {"name": model})


def _private_key(file: Path | None) -> "Ed25519PrivateKey | None":
    if file is None:
        return None
    from mizzen_cli import signing

    return signing.private_key(file)


def _sign(api: ApiClient, version: Json, key: "Ed25519PrivateKey", files: list[LocalFile]) -> None:
    from mizzen_cli import signing

    signing.post(api, version, key.sign(signing.statement(version, files)))


def _point(api: ApiClient, model: str, name: str, version: int, *, force: bool) -> Json:
    path = api.path("models", model, "aliases", name)
    etag = None
    if not force:
        present = {row["name"]: row["etag"] for row in api.items(api.path("models", model, "aliases"))}
        etag = present.get(name)
    return api.put(path, {"version": version}, if_match=etag)
