"""`mizzen keys`: API keys, with which applications call models."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from mizzen_crds.access import KeyOperation
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
    Column("MODELS", lambda row: [*(row.get("models") or ()), *(row.get("routes") or ())] or "all"),
    Column("OPERATIONS", lambda row: row.get("operations") or "all", spare=True),
    Column("NETWORKS", lambda row: row.get("ip_ranges") or "any", spare=True),
    column("PRIORITY"),
    column("EXPIRES", "expires_at", spare=True),
    Column("USED", lambda row: age(row.get("last_used_at")) if row.get("last_used_at") else "never", spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
)
Name = Annotated[str, typer.Argument(help="Name or id of the key.")]
Priority = Annotated[
    HowUrgent | None,
    typer.Option(
        help="interactive, standard (the default) or batch: where there is too much to answer, batch gives way first."
    ),
]

Routes = Annotated[
    list[str] | None,
    typer.Option("--route", help="Route that it may call; repeatable. With --model or --route nothing else is open."),
]
Operations = Annotated[
    list[KeyOperation] | None,
    typer.Option("--operation", help="What it may ask for; repeatable. Default: everything. Held in batches, too."),
]
Networks = Annotated[
    list[str] | None,
    typer.Option(
        "--ip-range", help="Network that it may be used from, as 192.0.2.0/24; repeatable. Default: anywhere."
    ),
]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name, unique in the project.")],
    model: Annotated[list[str] | None, typer.Option(help="Model that it may call; repeatable. Default: all.")] = None,
    route: Routes = None,
    operation: Operations = None,
    ip_range: Networks = None,
    expires_at: Annotated[str | None, typer.Option(help="When it ends, as 2027-01-31T00:00:00Z.")] = None,
    priority: Priority = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Create a key. Standard output is its secret alone, shown once and kept nowhere: KEY=$(mizzen keys create app)."""
    scopes = {"models": model, "routes": route, "operations": operation, "ip_ranges": ip_range}
    body = {"name": name, "expires_at": expires_at, "priority": priority, **_given(scopes)}
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
    route: Routes = None,
    all_models: Annotated[
        bool, typer.Option("--all-models", help="It may call all of the project's models and routes.")
    ] = False,
    operation: Operations = None,
    all_operations: Annotated[bool, typer.Option("--all-operations", help="It may ask for everything.")] = False,
    ip_range: Networks = None,
    any_network: Annotated[bool, typer.Option("--any-network", help="It may be used from anywhere.")] = False,
    expires_at: Annotated[str | None, typer.Option(help="When it ends, as 2027-01-31T00:00:00Z, or never.")] = None,
    priority: Priority = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Change what a key may do, when it ends, or its priority; its secret stays. Gateways know within a second."""
    opened = {"models": all_models, "routes": all_models, "operations": all_operations, "ip_ranges": any_network}
    named = _given({"models": model, "routes": route, "operations": operation, "ip_ranges": ip_range})
    both = next((field for field in named if opened[field]), None)
    if both is not None:
        raise typer.BadParameter(f"{both} are named and all are opened at once; give one of the two.")
    change: Json = named | {field: None for field, wanted in opened.items() if wanted}
    if not (change or expires_at or priority):
        raise typer.BadParameter(
            "Nothing to change: give --model, --route, --all-models, --operation, --all-operations, --ip-range, "
            "--any-network, --expires-at or --priority."
        )
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


@app.command("revoke-many")
def revoke_many(
    label: Annotated[list[str] | None, typer.Option(help="Label that they have, as team=search; repeatable.")] = None,
    created_before: Annotated[str | None, typer.Option(help="Made before that, as 2027-01-31T00:00:00Z.")] = None,
    last_used_before: Annotated[str | None, typer.Option(help="Made before that and not used since.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which they are.")] = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Revoke all keys of the project that every criterion holds for; try it with --dry-run first."""
    labels = dict(_label(text) for text in label or ())
    body = {"labels": labels, "created_before": created_before, "last_used_before": last_used_before}
    body = {field: value for field, value in body.items() if value}
    if not body:
        raise typer.BadParameter("Say which keys: give --label, --created-before or --last-used-before.")
    found: list[Json] = []
    with session(project) as api:
        path = f"{api.path('keys')}:bulkRevoke"
        more = True
        while more:
            answer = api.post(path, body, dry_run=dry_run)
            found += answer["keys"]
            more = answer["more"] and not dry_run
    show(found, COLUMNS, output)
    if dry_run and answer["more"]:
        typer.echo(f"These are the first {len(found)}; there are more.", err=True)


def _label(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise typer.BadParameter(f"{text!r} is no label: write it as team=search.")
    return name, value


def _given(lists: Mapping[str, Sequence[str] | None]) -> Json:
    return {field: list(values) for field, values in lists.items() if values}


def _show_secret(key: dict[str, object], output: Format) -> None:
    if output is Format.TABLE:
        typer.echo(key["secret"])
        typer.echo("Keep it now: it is not shown again.", err=True)
    else:
        show_one(key, COLUMNS, output)
