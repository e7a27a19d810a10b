"""`mizzen models card|tag|lineage|results`: what people and pipelines write about models and versions."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.output import Column, Format, Output, acknowledge, age, column, show, show_one, write
from mizzen_cli.reference import parse_reference
from mizzen_cli.session import Project, session
from mizzen_cli.version_text import find_version

Reference = Annotated[str, typer.Argument(metavar="MODEL[@VERSION]", help="A model, or one of its versions.")]
OfVersion = Annotated[str, typer.Argument(metavar="MODEL[@VERSION]", help="Version by number or alias; the newest.")]
RESULT_COLUMNS = (
    column("NAME"),
    column("VALUE"),
    column("UNIT"),
    column("DATASET", spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
)


def card(
    reference: Reference,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="Markdown file to write as the card; - for standard input.")
    ] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Show what is written about a model or a version, in Markdown, or write it with --file."""
    with session(project) as api:
        path = f"{_path(api, reference)}/card"
        if file is None:
            found = api.get(path)
            typer.echo(found["text"]) if output is Format.TABLE else write(found, output)
            return
        written = api.put(path, {"text": _text(file)}, if_match=_etag(api, path))
    acknowledge(f"The card of {reference} is written.", written, output)


def tag(
    reference: Reference,
    tags: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="A tag to set; NAME- removes one.")],
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Set or remove tags of a model or a version."""
    body = dict(_tag(text) for text in tags)
    with session(project) as api:
        changed = api.patch(_path(api, reference), {"tags": body})
    if output in (Format.JSON, Format.YAML):
        write(changed["tags"], output)
        return
    for name, value in sorted(changed["tags"].items()):
        typer.echo(f"{name}={value}")


def lineage(
    reference: OfVersion,
    parent: Annotated[str | None, typer.Option(help="MODEL@NUMBER or MODEL@ALIAS that it was made from.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Name of what it was trained on.")] = None,
    repository: Annotated[str | None, typer.Option(help="Repository of what it was trained with.")] = None,
    revision: Annotated[str | None, typer.Option(help="Commit of what it was trained with.")] = None,
    run: Annotated[str | None, typer.Option(help="Name of the training run.")] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Show where a version comes from and what was made from it; the options write it first."""
    with session(project) as api:
        version = find_version(api, reference)
        path = api.path("models", version["model"], "versions", str(version["version"]))
        said: Json = {}
        if parent is not None:
            said["parent"] = _parent(api, parent)
        if dataset is not None:
            said["dataset"] = {"name": dataset}
        if repository is not None or revision is not None:
            said["code"] = {"repository": repository or "", "revision": revision or ""}
        if run is not None:
            said["training_run"] = {"name": run}
        if said:
            api.patch(path, {"lineage": said})
        line = api.get(f"{path}/lineage")
    if output is not Format.TABLE:
        write(line, output)
        return
    for text in _lines(line):
        typer.echo(text)


def results(
    reference: OfVersion,
    result: Annotated[
        list[str] | None, typer.Argument(metavar="[METRIC=VALUE...]", help="Results to post, such as accuracy=0.93.")
    ] = None,
    unit: Annotated[str, typer.Option(help="Unit of the values, such as ms.")] = "",
    dataset: Annotated[str, typer.Option(help="What it was evaluated on.")] = "",
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Post results of an evaluation to a version, or list them; of one metric the newest counts."""
    values = [_result(text) for text in result or []]
    with session(project) as api:
        version = find_version(api, reference)
        path = api.path("models", version["model"], "versions", str(version["version"]), "evaluations")
        if not values:
            show(api.items(path), RESULT_COLUMNS, output)
            return
        for name, value in values:
            posted = api.post(path, {"name": name, "value": value, "unit": unit, "dataset": dataset})
            show_one(posted, RESULT_COLUMNS, output)


def register(app: typer.Typer) -> None:
    """Add the commands to `mizzen models`."""
    for command in (card, tag, lineage, results):
        app.command(command.__name__)(command)


def _path(api: ApiClient, reference: str) -> str:
    if "@" not in reference:
        return api.path("models", reference)
    version = find_version(api, reference)
    return api.path("models", version["model"], "versions", str(version["version"]))


def _parent(api: ApiClient, reference: str) -> Json:
    named = parse_reference(reference)
    if "version" not in named:
        named = {"model": named["model"], "version": find_version(api, reference)["version"]}
    return named


def _etag(api: ApiClient, path: str) -> str | None:
    try:
        return str(api.get(path)["etag"])
    except CommandError as error:
        if error.code is not ExitCode.NOT_FOUND:
            raise
        return None


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--file {file}: cannot be read as text ({error}).", ExitCode.USAGE) from error


def _tag(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    if equals and name:
        return name, value
    if text.endswith("-") and len(text) > 1:
        return text[:-1], None
    raise CommandError(f"{text!r}: write NAME=VALUE to set a tag, NAME- to remove one.", ExitCode.USAGE)


def _result(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    try:
        return name, float(value)
    except ValueError:
        raise CommandError(f"{text!r}: write METRIC=VALUE, such as accuracy=0.93.", ExitCode.USAGE) from None


def _lines(line: Json) -> list[str]:
    said = line["lineage"]
    lines = []
    for field, label in (("dataset", "Dataset"), ("code", "Code"), ("training_run", "Run"), ("origin", "Origin")):
        known = [str(value) for value in (said.get(field) or {}).values() if value]
        if known:
            lines.append(f"{label + ':':<10}{', '.join(known)}")
    lines += [f"{'From:':<10}{one['model']}@{one['version']}, {one['state']}" for one in line["ancestors"]]
    lines += [f"{'Became:':<10}{one['model']}@{one['version']}, {one['state']}" for one in line["children"]]
    return lines or ["Nothing is known of where it comes from; the options of this command write it."]
