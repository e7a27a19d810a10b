"""`mizzen models sign|signatures`: who vouches for a version."""

from pathlib import Path
from typing import Annotated

import typer

from mizzen_cli.output import Column, Format, Output, age, column, show, show_one
from mizzen_cli.session import Project, session
from mizzen_cli.version_text import find_version

OfVersion = Annotated[str, typer.Argument(metavar="MODEL[@VERSION]", help="Version by number or alias; the newest.")]
COLUMNS = (
    column("KEY", "name"),
    Column("STATE", lambda row: "valid" if row.get("valid") else "key revoked"),
    column("FINGERPRINT", spare=True),
    column("POSTED BY", "created_by", spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
)


def sign(
    reference: OfVersion,
    key: Annotated[Path | None, typer.Option(help="Private ed25519 key, PEM; it never leaves this machine.")] = None,
    signature: Annotated[
        Path | None, typer.Option(help="File with the 64 bytes of a signature that was made elsewhere.")
    ] = None,
    path: Annotated[
        Path | None, typer.Option(help="File or folder of the artifact: nothing is signed but what is made of it.")
    ] = None,
    statement: Annotated[
        bool, typer.Option("--statement", help="Write what is to be signed, for a key elsewhere, and sign nothing.")
    ] = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Sign a version with a key that the project trusts: mizzen models sign fraud@7 --key release.pem --path model/."""
    from mizzen_cli import signing
    from mizzen_cli.artifact import local_files

    if sum((key is not None, signature is not None, statement)) != 1:
        raise typer.BadParameter("Give one of --key, --signature and --statement.")
    private = signing.private_key(key) if key is not None else None
    made = signing.made_elsewhere(signature) if signature is not None else b""
    files = local_files(path) if path is not None else None
    with session(project) as api:
        version = find_version(api, reference)
        signed = signing.statement(version, files)
        if statement:
            typer.echo(signed.decode(), nl=False)
            return
        raw = private.sign(signed) if private is not None else made
        show_one(signing.post(api, version, raw), COLUMNS, output)


def signatures(reference: OfVersion, output: Output = Format.TABLE, project: Project = None) -> None:
    """List who signed a version: mizzen models signatures fraud@7."""
    with session(project) as api:
        version = find_version(api, reference)
        below = api.path("models", version["model"], "versions", str(version["version"]), "signatures")
        show(api.items(below), COLUMNS, output)


def register(app: typer.Typer) -> None:
    """Add the commands to `mizzen models`."""
    for command in (sign, signatures):
        app.command(command.__name__)(command)
