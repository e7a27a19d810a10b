"""`mizzen service-accounts`: programs that a project gives roles to, and the tokens that they call with."""

from typing import Annotated

import typer

from mizzen_cli.client import Json
from mizzen_cli.output import Column, Format, Output, acknowledge, age, column, show, show_one
from mizzen_cli.session import Project, session

app = typer.Typer(
    help="Service accounts: programs that a project gives roles to. mizzen service-accounts create ci",
    no_args_is_help=True,
)
tokens = typer.Typer(help="Tokens that a service account calls with.", no_args_is_help=True)
app.add_typer(tokens, name="tokens")

COLUMNS = (
    column("NAME"),
    column("PRINCIPAL"),
    Column("STATE", lambda row: "disabled" if row.get("disabled") else "enabled"),
    column("DESCRIPTION", spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
)
TOKENS = (
    column("NAME"),
    column("ID"),
    column("STATE"),
    column("EXPIRES", "expires_at", spare=True),
    Column("USED", lambda row: age(row.get("last_used_at")) if row.get("last_used_at") else "never", spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
)
Account = Annotated[str, typer.Argument(help="Name or id of the service account.")]
Token = Annotated[str, typer.Argument(help="Name or id of the token.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name, unique in the project.")],
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Make a service account: mizzen service-accounts create ci. `mizzen access grant ROLE PRINCIPAL` lets it act."""
    with session(project) as api:
        made = api.post(api.path("service-accounts"), {"name": name, "description": description})
    show_one(made, COLUMNS, output)


@app.command("list")
def list_accounts(output: Output = Format.TABLE, project: Project = None) -> None:
    """List the project's service accounts."""
    with session(project) as api:
        show(api.items(api.path("service-accounts")), COLUMNS, output)


@app.command("update")
def update(
    account: Account,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Whether its tokens open anything, from now on.")
    ] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Describe, disable or enable a service account: mizzen service-accounts update ci --disable."""
    given = {"description": description, "disabled": disabled}
    change = {field: value for field, value in given.items() if value is not None}
    if not change:
        raise typer.BadParameter("Nothing to change: give --description, --disable or --enable.")
    with session(project) as api:
        show_one(api.patch(api.path("service-accounts", account), change), COLUMNS, output)


@app.command("delete")
def delete(account: Account, output: Output = Format.TABLE, project: Project = None) -> None:
    """Delete a service account with its tokens and bindings: all are refused from the next request on."""
    with session(project) as api:
        api.delete(api.path("service-accounts", account))
    acknowledge(f"{account}: deleted, with its tokens and bindings.", {"name": account}, output, "name")


@tokens.command("create")
def create_token(
    account: Account,
    name: Annotated[str, typer.Argument(help="Name, unique among the account's tokens.")],
    expires_at: Annotated[str | None, typer.Option(help="When it ends, as 2027-01-31T00:00:00Z; else never.")] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Make a token; its secret alone is printed, once: MIZZEN_TOKEN=$(mizzen service-accounts tokens create ci t).

    Nobody gets a token that opens more than they hold.
    """
    body: Json = {"name": name} if expires_at is None else {"name": name, "expires_at": expires_at}
    with session(project) as api:
        _show_secret(api.post(api.path("service-accounts", account, "tokens"), body), output)


@tokens.command("list")
def list_tokens(account: Account, output: Output = Format.TABLE, project: Project = None) -> None:
    """List the tokens of a service account, revoked ones included."""
    with session(project) as api:
        show(api.items(api.path("service-accounts", account, "tokens")), TOKENS, output)


@tokens.command("rotate")
def rotate(
    account: Account,
    token: Token,
    overlap: Annotated[int, typer.Option(help="Seconds for which the old secret goes on working.")] = 3600,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Make a new secret; the old one works on for the overlap."""
    with session(project) as api:
        path = api.path("service-accounts", account, "tokens", token)
        _show_secret(api.post(f"{path}:rotate", {"overlap_seconds": overlap}), output)


@tokens.command("revoke")
def revoke(account: Account, token: Token, output: Output = Format.TABLE, project: Project = None) -> None:
    """Revoke a token: it is refused from the next request on, for ever."""
    with session(project) as api:
        path = api.path("service-accounts", account, "tokens", token)
        show_one(api.post(f"{path}:revoke"), TOKENS, output)


def _show_secret(token: Json, output: Format) -> None:
    if output is Format.TABLE:
        typer.echo(token["secret"])
        typer.echo("Keep it now: it is not shown again.", err=True)
    else:
        show_one(token, TOKENS, output)
