"""`mizzen webhooks`: who is told of what happens, by signed HTTP requests or by e-mail."""

from typing import Annotated

import typer

from mizzen_cli.client import ApiClient
from mizzen_cli.output import Column, Format, Output, Row, acknowledge, age, column, show, show_one
from mizzen_cli.session import Project, session

app = typer.Typer(
    help="Webhooks: events sent to a URL or by e-mail. mizzen webhooks create ops https://ops.example.com/mizzen",
    no_args_is_help=True,
)

COLUMNS = (
    column("NAME"),
    column("URL"),
    Column("EVENTS", lambda row: ", ".join(row.get("event_types", []))),
    Column("STATE", lambda row: "" if row.get("enabled") else "off", spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
)
DELIVERY_COLUMNS = (
    column("ID"),
    column("EVENT", "event_type"),
    column("SUBJECT"),
    column("STATE"),
    column("ATTEMPTS"),
    Column("NEXT", lambda row: row.get("next_attempt_at") or "", spare=True),
    Column("ERROR", lambda row: row.get("last_error"), spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
)
Name = Annotated[str, typer.Argument(help="Name, unique in the project.")]
Identity = Annotated[str, typer.Argument(help="Name or id.")]
Events = Annotated[
    list[str] | None, typer.Option("--event", help="Event, as budget.threshold or budget.*; several times for several.")
]
Organization = Annotated[bool, typer.Option("--organization", help="The organization's: events of all projects.")]


@app.command("create")
def create(
    name: Name,
    url: Annotated[str, typer.Argument(help="https://host/path, or mailto:somebody@example.com.")],
    event: Events = None,
    organization: Organization = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Have events sent. Standard output is the secret alone, shown once: SECRET=$(mizzen webhooks create ops URL)."""
    with session(project) as api:
        made = api.post(_path(api, organization), {"name": name, "url": url, "event_types": event or ["*"]})
    _show_secret(made, output)


@app.command("list")
def list_webhooks(organization: Organization = False, output: Output = Format.TABLE, project: Project = None) -> None:
    """List webhooks."""
    with session(project) as api:
        show(api.items(_path(api, organization)), COLUMNS, output)


@app.command("update")
def update(
    name: Identity,
    url: Annotated[str | None, typer.Option(help="Where events go.")] = None,
    event: Events = None,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Whether anything is sent.")] = None,
    organization: Organization = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Change where events go, which, or whether."""
    given = {"url": url, "event_types": event, "enabled": enabled}
    with session(project) as api:
        changes = {key: value for key, value in given.items() if value is not None}
        row = api.request("PATCH", _path(api, organization, name), json=changes).json()
    show_one(row, COLUMNS, output)


@app.command("delete")
def delete(
    name: Identity, organization: Organization = False, output: Output = Format.TABLE, project: Project = None
) -> None:
    """Delete a webhook and its deliveries."""
    with session(project) as api:
        api.delete(_path(api, organization, name))
    acknowledge(f"{name}: deleted.", {"name": name}, output)


@app.command("rotate-secret")
def rotate_secret(
    name: Identity, organization: Organization = False, output: Output = Format.TABLE, project: Project = None
) -> None:
    """Make a new secret; for 24 hours deliveries are signed with the old one too."""
    with session(project) as api:
        row = api.post(_path(api, organization, name) + ":rotateSecret")
    _show_secret(row, output)


@app.command("test")
def send_test(
    name: Identity, organization: Organization = False, output: Output = Format.TABLE, project: Project = None
) -> None:
    """Send a test event; `mizzen webhooks deliveries NAME` tells what became of it."""
    with session(project) as api:
        row = api.post(_path(api, organization, name) + ":test")
    show_one(row, DELIVERY_COLUMNS, output, "id")


@app.command("deliveries")
def deliveries(
    name: Identity,
    dead: Annotated[bool, typer.Option("--dead", help="Only those that were given up.")] = False,
    organization: Organization = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """List what was sent and what waits, newest first."""
    with session(project) as api:
        chosen = {"filter": "state=DEAD"} if dead else {}
        show(api.items(_path(api, organization, name, "deliveries"), **chosen), DELIVERY_COLUMNS, output, "id")


@app.command("redeliver")
def redeliver(
    name: Identity,
    delivery: Annotated[str, typer.Argument(help="Id of the delivery.")],
    organization: Organization = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Send a delivery again, now."""
    with session(project) as api:
        row = api.post(_path(api, organization, name, "deliveries", delivery) + ":redeliver")
    show_one(row, DELIVERY_COLUMNS, output, "id")


def _path(api: ApiClient, organization: bool, *parts: str) -> str:
    if organization:
        return "/".join(["/api/v1/webhooks", *parts])
    return api.path("webhooks", *parts)


def _show_secret(row: Row, output: Format) -> None:
    if output is not Format.TABLE:
        show_one(row, COLUMNS, output)
        return
    if not row["secret"]:
        acknowledge("Its events go out by e-mail, which is not signed.", row, output)
        return
    typer.echo(row["secret"])
    typer.echo("It verifies what the webhook gets. Keep it now: it is not shown again.", err=True)
