"""`mizzen signing-keys`: whose signatures of versions count in a project."""

from pathlib import Path
from typing import Annotated

import typer

from mizzen_cli.client import Json
from mizzen_cli.output import Column, Format, Output, acknowledge, age, column, show, show_one
from mizzen_cli.session import Project, session

app = typer.Typer(
    help="Public keys whose signatures of versions count. mizzen signing-keys add release release.pub",
    no_args_is_help=True,
)

COLUMNS = (
    column("NAME"),
    Column("STATE", lambda row: "revoked" if row.get("revoked_at") else "trusted"),
    column("FINGERPRINT", spare=True),
    column("ADDED BY", "created_by", spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
)


@app.command("generate")
def generate(
    file: Annotated[Path, typer.Argument(help="Where the private key is written, for its owner alone.")],
) -> None:
    """Make a key pair; the public key is printed: mizzen signing-keys generate release.pem > release.pub."""
    from mizzen_cli import signing

    typer.echo(signing.generate(file), nl=False)
    typer.echo(f"{file}: the private key. Who has it signs in its name; it is nowhere else.", err=True)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Name, unique in the project.")],
    file: Annotated[Path, typer.Argument(help="Public key, PEM; of a private key its public half is sent alone.")],
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Trust a public key: mizzen signing-keys add release release.pub."""
    from mizzen_cli import signing

    body: Json = {"name": name, "public_key": signing.public_text(file)}
    with session(project) as api:
        show_one(api.post(api.path("signing-keys"), body), COLUMNS, output)


@app.command("list")
def list_keys(output: Output = Format.TABLE, project: Project = None) -> None:
    """List the project's keys, revoked ones included."""
    with session(project) as api:
        show(api.items(api.path("signing-keys")), COLUMNS, output)


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="Name or id of the key.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what leans on it, and change nothing.")] = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Trust a key no more, for ever: mizzen signing-keys revoke release --dry-run."""
    with session(project) as api:
        done = api.post(f"{api.path('signing-keys', key)}:revoke", {"dry_run": dry_run})
    said = "would be revoked" if dry_run else "is revoked"
    acknowledge(f"{done['name']} {said}. {_leaning(done)}", done, output)


def _leaning(done: Json) -> str:
    if not done["leaning"]:
        return "No version in use leans on it."
    lines = [f"\n  {one['model']}@{one['version']} ({_users(one)})" for one in done["leaning"]]
    fate = (
        "nothing new serves them until another key has signed them" if done["refused"] else "the policy asks for none"
    )
    return f"Versions in use that no other trusted key has signed; {fate}:{''.join(lines)}"


def _users(version: Json) -> str:
    aliases = [f"alias {name}" for name in version["aliases"]]
    return ", ".join([*aliases, *(f"deployment {name}" for name in version["deployments"])])
