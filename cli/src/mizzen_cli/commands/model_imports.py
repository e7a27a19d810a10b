"""`mizzen models import`: a version whose files the control plane fetches itself."""

from typing import Annotated

import typer

from mizzen_cli.artifact import named_format
from mizzen_cli.before_push import check_model_name
from mizzen_cli.client import Json
from mizzen_cli.commands.models import make_model
from mizzen_cli.commands.operations import COLUMNS, followed
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.output import Format, Output, show_one
from mizzen_cli.session import Project, session

EXAMPLE = "Example: mizzen models import https://models.example.org/house/model.onnx --model house --watch"


def import_version(
    source: Annotated[
        str,
        typer.Argument(
            help="https://host/path/model.onnx, hf://organization/name@revision, mlflow://host/models:/name/version or "
            "s3://bucket/prefix, oci://host/repository:tag."
        ),
    ],
    model: Annotated[str, typer.Option(help="Name of the model; made where there is none.")],
    file: Annotated[
        list[str] | None,
        typer.Option(help="Only this file, or those that a pattern such as *.safetensors means; repeatable."),
    ] = None,
    digest: Annotated[
        list[str] | None, typer.Option(metavar="PATH=HEX", help="SHA-256 that a file must have; repeatable.")
    ] = None,
    credential: Annotated[
        str | None, typer.Option(help="Import credential of the project to show; `mizzen import-credentials` has them.")
    ] = None,
    artifact_format: Annotated[str | None, typer.Option("--format", help="ONNX, Safetensors, GGUF, ...")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end.")] = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Have the control plane fetch a new version; it is checked and scanned as one that is pushed."""
    check_model_name(model)
    body: Json = {"source": source, "files": file or [], "sha256": dict(_digest(text) for text in digest or [])}
    if credential is not None:
        body["credential"] = credential
    if artifact_format is not None:
        body["format"] = named_format(artifact_format)
    with session(project) as api:
        make_model(api, model)
        begun = api.post(f"{api.path('models', model, 'versions')}:import", body)
        if watch:
            begun = followed(api, api.path("operations", begun["id"]))
    show_one(begun, COLUMNS, output, name="id")
    if watch:
        typer.echo(f"{model} version {begun['result']['version']} is {begun['result']['state']}.", err=True)
    else:
        typer.echo(f"`mizzen operations show {begun['id']} --watch` follows it.", err=True)


def register(app: typer.Typer) -> None:
    """Add the command to `mizzen models`."""
    app.command("import", epilog=EXAMPLE)(import_version)


def _digest(text: str) -> tuple[str, str]:
    path, equals, digest = text.rpartition("=")
    if not equals or not path:
        raise CommandError(f"--digest {text!r}: write PATH=HEX, such as model.onnx=9f86d0...", ExitCode.USAGE)
    return path, digest.lower()
