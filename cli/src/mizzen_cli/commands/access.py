"""`mizzen access`: who holds which role where, and why somebody may do something or not."""

from typing import Annotated

import typer

from mizzen_cli.client import ApiClient
from mizzen_cli.commands import access_roles
from mizzen_cli.output import Column, Format, Output, acknowledge, age, column, show, show_one
from mizzen_cli.session import Project, session

app = typer.Typer(help="Who holds which role where, and why somebody may or may not.", no_args_is_help=True)
app.add_typer(access_roles.app, name="roles")

COLUMNS = (
    column("ID"),
    column("PRINCIPAL"),
    column("ROLE"),
    column("EFFECT"),
    Column("WHERE", lambda row: "/".join(filter(None, (row.get("project"), row.get("resource")))) or "organization"),
    Column("AGE", lambda row: age(row.get("created_at"))),
)
EXPLAINED = (column("ALLOWED"), column("PERMISSION"), column("PRINCIPAL"), column("BECAUSE"), column("ROLES"))
Organization = Annotated[bool, typer.Option("--organization", help="In the whole organization, not in one project.")]
Resource = Annotated[str | None, typer.Option(help="Only there, as model/<name> or deployment/<name>.")]


def _path(api: ApiClient, organization: bool, *parts: str) -> str:
    return "/".join(["/api/v1/bindings", *parts]) if organization else api.path("bindings", *parts)


@app.command("grant")
def grant(
    role: Annotated[str, typer.Argument(help="Name of the role; `mizzen access roles list` lists them.")],
    principal: Annotated[str, typer.Argument(help="Who gets it, as person:<id> or service-account:<id>.")],
    resource: Resource = None,
    deny: Annotated[bool, typer.Option("--deny", help="Deny what the role holds: that wins over all grants.")] = False,
    organization: Organization = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Give a role: mizzen access grant developer person:per_1 -p default. Nobody gives more than they hold."""
    if organization and resource:
        raise typer.BadParameter("A resource is in a project: leave --organization or --resource out.")
    body = {"role": role, "principal": principal, "effect": "deny" if deny else "allow", "resource": resource}
    with session(project) as api:
        made = api.post(_path(api, organization), {name: value for name, value in body.items() if value is not None})
        show_one(made, COLUMNS, output)


@app.command("list")
def list_bindings(organization: Organization = False, output: Output = Format.TABLE, project: Project = None) -> None:
    """List who holds what in the project; with --organization, everywhere."""
    with session(project) as api:
        show(api.items(_path(api, organization)), COLUMNS, output)


@app.command("revoke")
def revoke(
    binding: Annotated[str, typer.Argument(help="Id of the binding, as `mizzen access list` shows it.")],
    organization: Organization = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Take a binding away; it holds no more from the next request on."""
    with session(project) as api:
        api.delete(_path(api, organization, binding))
    acknowledge(f"{binding}: no longer bound.", {"id": binding}, output, "id")


@app.command("explain")
def explain(
    permission: Annotated[str, typer.Argument(help="What it would be about, as models:write.")],
    principal: Annotated[
        str | None, typer.Option(help="Who, as person:<id> or service-account:<id>; without it, you.")
    ] = None,
    resource: Resource = None,
    organization: Organization = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Say whether somebody may do something, and why: mizzen access explain keys:write --principal person:per_1."""
    with session(project) as api:
        asked = {"permission": permission, "resource": None if organization else resource}
        if principal is None:
            answer = api.get("/api/v1/me:explain", **asked, project=None if organization else api.project)
        else:
            path = "/api/v1/access:explain" if organization else api.path("access:explain")
            answer = api.get(path, **asked, principal=principal)
        show_one(answer, EXPLAINED, output, "allowed")
