"""`mizzen import-credentials`: what a project shows to the hosts that it imports models from."""

from typing import Annotated

import typer

from mizzen_cli.client import Json
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.output import Column, Format, Output, acknowledge, age, column, show, show_one
from mizzen_cli.session import Project, session
from mizzen_cli.typed_secret import typed_secret

app = typer.Typer(
    help="Credentials for imports: sent to their own host alone. mizzen import-credentials create hub "
    "--host huggingface.co < token-file",
    no_args_is_help=True,
)
COLUMNS = (column("NAME"), column("HOST"), column("KIND"), Column("AGE", lambda row: age(row.get("created_at"))))
Identity = Annotated[str, typer.Argument(help="Name or id.")]
Username = Annotated[str | None, typer.Option(help="Of a name and password; without one it is a bearer token.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name, unique in the project.")],
    host: Annotated[str, typer.Option(help="The one that it is sent to: host or host:port.")],
    username: Username = None,
    access_key_id: Annotated[str | None, typer.Option(help="Of an access key for s3://; its secret is typed.")] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Store one; the secret is typed, or read from standard input, and never shown again."""
    if username is not None and access_key_id is not None:
        raise CommandError("--username and --access-key-id are of two kinds: give one.", ExitCode.USAGE)
    body: Json = {"name": name, "host": host, "kind": "bearer"}
    if username is not None:
        body |= {"kind": "basic", "username": username}
    if access_key_id is not None:
        body |= {"kind": "access_key", "username": access_key_id}
    body["secret"] = typed_secret({"bearer": "Token", "basic": "Password"}.get(body["kind"], "Secret access key"))
    with session(project) as api:
        made = api.post(api.path("import-credentials"), body)
    show_one(made, COLUMNS, output)


@app.command("list")
def list_credentials(output: Output = Format.TABLE, project: Project = None) -> None:
    """List the project's, without what is secret."""
    with session(project) as api:
        show(api.items(api.path("import-credentials")), COLUMNS, output)


@app.command("replace")
def replace(
    name: Identity,
    username: Annotated[str | None, typer.Option(help="The new name; without it the one there is.")] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Replace the secret: typed, or read from standard input."""
    body: Json = {} if username is None else {"username": username}
    body["secret"] = typed_secret("New secret", twice=True)
    with session(project) as api:
        row = api.request("PATCH", api.path("import-credentials", name), json=body).json()
    show_one(row, COLUMNS, output)


@app.command("delete")
def delete(name: Identity, output: Output = Format.TABLE, project: Project = None) -> None:
    """Delete one; an import that has yet to show it fails."""
    with session(project) as api:
        api.delete(api.path("import-credentials", name))
    acknowledge(f"{name}: deleted.", {"name": name}, output)
