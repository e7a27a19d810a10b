"""`mizzen api`: any operation of the REST API by its name, for what no other command does."""

import inspect
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from mizzen_cli.client import Json
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.output import Format, column, show, write
from mizzen_cli.session import Project, session

SHOWN = 6
"""Columns of a table of things that no command knows by name."""

Operation = Annotated[str | None, typer.Argument(help="Such as list_keys; without one, all are listed.")]
Values = Annotated[list[str] | None, typer.Argument(help="NAME=VALUE for each value of its path and query.")]
BodyFile = Annotated[Path | None, typer.Option("-f", "--file", help="Body, YAML or JSON; - reads it from the input.")]
Output = Annotated[Format, typer.Option("-o", "--output", help="How to print the answer.")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("api", epilog="Example: mizzen api create_webhook -f webhook.yaml -o yaml")(call)


def call(
    operation: Operation = None,
    values: Values = None,
    file: BodyFile = None,
    output: Output = Format.JSON,
    project: Project = None,
) -> None:
    """Call any operation of the REST API; `project` is the context's unless it is given."""
    if operation is None:
        names = [{"name": name, "values": " ".join(_wanted(name))} for name in _operations()]
        show(names, (column("NAME"), column("VALUES")), Format.TABLE if output is Format.JSON else output)
        return
    wanted = _wanted(operation)
    with session(project) as api:
        given = _given(values or [], wanted)
        if "project" in wanted:
            given.setdefault("project", api.project)
        if file is not None:
            given["body"] = _body(file, raw=wanted.get("body") == "bytes")
        _require(operation, wanted, given)
        _print(api.operation(operation, given), output)


def _operations() -> list[str]:
    from mizzen_client.operations import Operations

    return sorted(name for name in vars(Operations) if not name.startswith("_"))


def _wanted(operation: str) -> Json:
    """Its values by name -> the text of their types."""
    from mizzen_client.operations import Operations

    if operation not in _operations():
        raise CommandError(f"There is no operation {operation}; `mizzen api` lists all.", ExitCode.USAGE)
    parameters = inspect.signature(getattr(Operations, operation)).parameters.values()
    return {each.name: str(each.annotation) for each in parameters if each.name != "self"}


def _given(pairs: list[str], wanted: Json) -> Json:
    given: Json = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name not in wanted or name == "body":
            known = ", ".join(one for one in wanted if one != "body") or "none"
            raise CommandError(f"{pair} is no value of this operation, which has: {known}.", ExitCode.USAGE)
        given[name] = value
    return given


def _body(file: Path, *, raw: bool) -> Any:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return content if raw else yaml.safe_load(content)
    except (OSError, yaml.YAMLError) as error:
        raise CommandError(f"{file} cannot be read as YAML or JSON ({error}).", ExitCode.USAGE) from error


def _require(operation: str, wanted: Json, given: Json) -> None:
    from mizzen_client.operations import Operations

    parameters = inspect.signature(getattr(Operations, operation)).parameters
    missing = [name for name in wanted if parameters[name].default is inspect.Parameter.empty and name not in given]
    if missing:
        words = ["-f FILE" if name == "body" else f"{name}=VALUE" for name in missing]
        raise CommandError(f"{operation} needs {', '.join(words)} too.", ExitCode.USAGE)


def _print(answer: Any, output: Format) -> None:
    if isinstance(answer, str):
        sys.stdout.write(answer)
        return
    rows = [answer] if isinstance(answer, dict) and "items" not in answer else None
    if answer is None:
        return
    if rows is None:
        rows = list(answer["items"] if isinstance(answer, dict) else answer)
    if output in (Format.JSON, Format.YAML):
        write(answer if isinstance(answer, dict) else rows, output)
        return
    names = [name for name in (rows[0] if rows else {}) if not isinstance(rows[0][name], (dict, list))][:SHOWN]
    show(rows, [column(name.upper(), name) for name in names], output)
