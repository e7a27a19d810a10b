"""`mizzen models scan|release|quarantine|policy`: what was found in a version, and whether it may be used."""

from datetime import datetime
from typing import Annotated

import typer

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.output import Column, Format, Output, acknowledge, column, show, write
from mizzen_cli.session import Project, session
from mizzen_cli.version_text import find_version

OfVersion = Annotated[str, typer.Argument(metavar="MODEL[@VERSION]", help="Version by number or alias; the newest.")]
Because = Annotated[str, typer.Option("--reason", help="Why, for the audit trail.")]
FINDING_COLUMNS = (
    column("SEVERITY"),
    column("RULE"),
    column("FILE"),
    Column("DETAIL", lambda row: str(row.get("detail", "")), spare=True),
)


def scan(
    reference: OfVersion,
    again: Annotated[bool, typer.Option("--again", help="Scan it once more, by the rules and policy of now.")] = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Show what the scan of a version found."""
    with session(project) as api:
        path = _path(api, reference)
        found = api.post(f"{path}:scan") if again else api.get(f"{path}/scan")
    if output is not Format.TABLE:
        write(found, output)
        return
    typer.echo(f"Version {found['version']}: {found['verdict']}, {len(found['findings'])} findings.")
    if found["findings"]:
        show(found["findings"], FINDING_COLUMNS, output)
    if found["left_out"]:
        typer.echo(f"{found['left_out']} more findings are not listed.")


def release(
    reference: OfVersion,
    reason: Because,
    until: Annotated[
        datetime | None, typer.Option(help="Quarantined again from then on, UTC; by default it stays released.")
    ] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Let a quarantined version be used, for its digest and what was found in it now alone."""
    body: Json = {"reason": reason}
    if until is not None:
        body["expires_at"] = until.isoformat() + "Z"
    with session(project) as api:
        made = api.post(f"{_path(api, reference)}:release", body)
    acknowledge(f"{made['name']} is released from quarantine.", made, output)


def quarantine(reference: OfVersion, reason: Because, output: Output = Format.TABLE, project: Project = None) -> None:
    """Take a READY version out of use until it is released: no engine fetches it again."""
    with session(project) as api:
        taken = api.post(f"{_path(api, reference)}:quarantine", {"reason": reason})
    acknowledge(f"{taken['model']} version {taken['version']} is quarantined.", taken, output)


def policy(
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="A format that may be pushed; repeatable; `all` for every one.")
    ] = None,
    quarantine_from: Annotated[
        str | None, typer.Option(help="Quarantine from this severity on: info, low, medium, high or critical.")
    ] = None,
    require_signature: Annotated[
        bool | None, typer.Option(help="Serve only versions that a trusted key has signed: `mizzen signing-keys`.")
    ] = None,
    output: Output = Format.YAML,
    project: Project = None,
) -> None:
    """Show what the project takes into its registry; options change it: mizzen models policy --require-signature."""
    with session(project) as api:
        path = api.path("model-policy")
        present = api.get(path)
        body = {name: present[name] for name in ("formats", "quarantine_from")}
        if formats is not None:
            body["formats"] = None if formats == ["all"] else formats
        if quarantine_from is not None:
            body["quarantine_from"] = quarantine_from
        if require_signature is not None:
            body["require_signature"] = require_signature
        if any(option is not None for option in (formats, quarantine_from, require_signature)):
            present = api.put(path, body, if_match=present["etag"])
    write(present, Format.YAML if output is Format.TABLE else output)


def register(app: typer.Typer) -> None:
    """Add the commands to `mizzen models`."""
    for command in (scan, release, quarantine, policy):
        app.command(command.__name__)(command)


def _path(api: ApiClient, reference: str) -> str:
    version = find_version(api, reference)
    return api.path("models", version["model"], "versions", str(version["version"]))
