"""`mizzen keys`: API keys, with which applications call models."""

from typing import Annotated

import typer
from mizzen_crds.access import Priority as HowUrgent

from mizzen_cli.client import Json
from mizzen_cli.output import Column, Format, Output, age, column, show, show_one
from mizzen_cli.served_names import warn_uncallable
from mizzen_cli.session import Project, session

app = typer.Typer(help="API keys, with which applications call models.", no_args_is_help=True)

COLUMNS = (
    column("NAME"),
    column("ID"),
    column("STATE"),
    Column("MODELS", lambda row: row.get("models") or "all"),
    column("PRIORITY"),
    column("EXPIRES", "expires_at", spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
)
Name = Annotated[str, typer.Argument(help="Name or id of the key.")]
Priority = Annotated[
    HowUrgent | None,
    typer.Option(
        help="interactive, standard (the default) or batch: where there is too much to answer, batch gives way first."
    ),
]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name, unique in the project.")],
    model: Annotated[list[str] | None, typer.Option(help="Model that it may call; repeatable. Default: all.")] = None,
    expires_at: Annotated[str | None, typer.Option(help="When it ends, as 2027-01-31T00:00:00Z.")] = None,
    priority: Priority = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Create a key. Standard output is its secret alone, shown once and kept nowhere: KEY=$(mizzen keys create app)."""
    body = {"name": name, "models": model or None, "expires_at": expires_at, "priority": priority}
    with session(project) as api:
        created = api.post(api.path("keys"), {field: value for field, value in body.items() if value is not None})
        _show_secret(created, output)
        warn_uncallable(api, model or (), name)


@app.command("list")
def list_keys(output: Output = Format.TABLE, project: Project = None) -> None:
    """List the project's keys."""
    with session(project) as api:
        show(api.items(api.path("keys")), COLUMNS, output)


@app.command("update")
def update(
    key: Name,
    model: Annotated[
        list[str] | None, typer.Option(help="Model that it may call from now on; repeatable, all others are shut.")
    ] = None,
    all_models: Annotated[bool, typer.Option("--all-models", help="It may call all of the project's models.")] = False,
    expires_at: Annotated[str | None, typer.Option(help="When it ends, as 2027-01-31T00:00:00Z, or never.")] = None,
    priority: Priority = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Change what a key may call, when it ends, or its priority; its secret stays. Gateways know within a second."""
    if model and all_models:
        raise typer.BadParameter("Give --model or --all-models, not both.")
    if not (model or all_models or expires_at or priority):
        raise typer.BadParameter("Nothing to change: give --model, --all-models, --expires-at or --priority.")
    change: Json = {"models": model or None} if model or all_models else {}
    if expires_at:
        change["expires_at"] = None if expires_at.lower() == "never" else expires_at
    if priority:
        change["priority"] = priority
    with session(project) as api:
        show_one(api.patch(api.path("keys", key), change), COLUMNS, output)
        warn_uncallable(api, model or (), key)


@app.command("rotate")
def rotate(
    key: Name,
    overlap: Annotated[int, typer.Option(help="Seconds for which the old secret goes on working.")] = 3600,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Make a new secret; the old one works on for the overlap."""
    with session(project) as api:
        rotated = api.post(f"{api.path('keys', key)}:rotate", {"overlap_seconds": overlap})
    _show_secret(rotated, output)


@app.command("revoke")
def revoke(key: Name, output: Output = Format.TABLE, project: Project = None) -> None:
    """Revoke a key: every gateway refuses it within a second."""
    with session(project) as api:
        show_one(api.post(f"{api.path('keys', key)}:revoke"), COLUMNS, output)


def _show_secret(key: dict[str, object], output: Format) -> None:
    if output is Format.TABLE:
        typer.echo(key["secret"])
        typer.echo("Keep it now: it is not shown again.", err=True)
    else:
        show_one(key, COLUMNS, output)
