"""`mizzen access roles`: the roles that can be bound, and those of the organization's own."""

from typing import Annotated

import typer

from mizzen_cli.client import Json
from mizzen_cli.output import Column, Format, Output, acknowledge, column, show, show_one
from mizzen_cli.session import session

app = typer.Typer(
    help="Roles that can be bound. mizzen access roles create captain --permission versions:publish",
    no_args_is_help=True,
)

COLUMNS = (
    column("NAME"),
    Column("FROM", lambda row: "release" if row.get("built_in") else "organization"),
    column("DESCRIPTION"),
    Column("PERMISSIONS", lambda row: row.get("permissions"), spare=True),
)
Role = Annotated[str, typer.Argument(help="Name or id of the role.")]
Permissions = Annotated[
    list[str] | None, typer.Option("--permission", help="What it holds, as models:write; repeatable, all of them.")
]


@app.command("list")
def list_roles(output: Output = Format.TABLE) -> None:
    """List the roles; -o yaml shows what each holds."""
    with session() as api:
        show(api.items("/api/v1/roles"), COLUMNS, output)


@app.command("show")
def show_role(role: Role, output: Output = Format.TABLE) -> None:
    """Show what a role holds: mizzen access roles show developer -o yaml."""
    with session() as api:
        show_one(api.get(f"/api/v1/roles/{role}"), COLUMNS, output)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name, unique in the organization.")],
    permission: Permissions = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Make a role: mizzen access roles create captain --permission versions:publish. It holds no more than you do."""
    if not permission:
        raise typer.BadParameter("Say what it holds: give --permission, once for each.")
    with session() as api:
        body: Json = {"name": name, "description": description, "permissions": permission}
        show_one(api.post("/api/v1/roles", body), COLUMNS, output)


@app.command("update")
def update(
    role: Role,
    permission: Permissions = None,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Change a role, at once for all who hold it; --permission names all that it holds from then on."""
    given: Json = {"permissions": permission or None, "description": description}
    change = {field: value for field, value in given.items() if value is not None}
    if not change:
        raise typer.BadParameter("Nothing to change: give --permission or --description.")
    with session() as api:
        show_one(api.patch(f"/api/v1/roles/{role}", change), COLUMNS, output)


@app.command("delete")
def delete(role: Role, output: Output = Format.TABLE) -> None:
    """Delete a role of the organization's own that nobody is bound to."""
    with session() as api:
        api.delete(f"/api/v1/roles/{role}")
    acknowledge(f"{role}: deleted.", {"name": role}, output, "name")
