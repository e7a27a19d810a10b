"""`mizzen audit`: who did what, and whether the trail of it is whole, here or in a file that somebody gave you."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mizzen_cli.client import Json
from mizzen_cli.errors import CommandError
from mizzen_cli.output import Column, Format, Output, column, show, write
from mizzen_cli.session import session

if TYPE_CHECKING:
    from mizzen_cli.audit_file import Verdict

app = typer.Typer(help="Who did what: the audit trail, newest first.", invoke_without_command=True)

COLUMNS = (
    column("TIME", "at"),
    column("WHO", "actor"),
    column("ACTION"),
    Column("WHAT", lambda row: row["resource_name"] or row["resource"]),
    column("OUTCOME"),
    Column("FROM", lambda row: _address(row), spare=True),
)


@app.callback()
def audit(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="Newest events to show.")] = 50,
    output: Output = Format.TABLE,
) -> None:
    """Show who did what, newest first; or verify, export and anchor the trail."""
    if context.invoked_subcommand is None:
        with session() as api:
            rows = api.get("/api/v1/audit-events", page_size=limit)["items"]
        show(rows, COLUMNS, output, name="id")


@app.command("verify")
def verify(
    file: Annotated[Path | None, typer.Argument(help="An export; without one, the trail of the installation.")] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="Public key of the installation, 64 hexadecimal digits, from a source that you trust."),
    ] = None,
    anchors: Annotated[
        Path | None, typer.Option(help="Lines of the sink (anchors.jsonl), against which the export is held as well.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Tell whether the trail is whole: nothing changed, taken out, cut off or written anew. Exit code 1 where not."""
    if file is None:
        with session() as api:
            report = api.get("/api/v1/audit-events:verify")
    else:
        from mizzen_cli.audit_file import verdict_of  # the control plane's rules, which no other command needs

        report = _report(verdict_of(file, key or (), anchors))
    _print(report, output)
    if not report["whole"]:
        raise CommandError(f"the audit trail is not whole: {len(report['findings'])} findings")


@app.command("export")
def export(
    after: Annotated[int, typer.Option(help="Number of the last event that you have already.")] = 0,
    personal: Annotated[bool, typer.Option(help="With names and addresses.")] = True,
) -> None:
    """Write all events as JSON lines to standard output; `mizzen audit verify FILE` verifies them."""
    with session() as api:
        path, asked = "/api/v1/audit-events:export", {"after": after, "personal": personal}
        for part in api.stream(path, **asked):
            typer.echo(part, nl=False)


@app.command("anchor")
def anchor(output: Output = Format.TABLE) -> None:
    """Sign where the trail stands now, and send that to the sink."""
    with session() as api:
        signed = api.post("/api/v1/audit-events:anchor")
    show([signed], (column("NUMBER"), column("HASH"), column("AT"), column("KEY", "key_id")), output, name="hash")


@app.command("keys")
def keys(output: Output = Format.TABLE) -> None:
    """Show the public keys of the installation, for whoever verifies an export."""
    with session() as api:
        found = api.get("/api/v1/audit-events:keys")["keys"]
    rows = [{"id": name, "key": public} for name, public in found.items()]
    show(rows, (column("ID"), column("KEY")), output, name="key")


def _report(verdict: "Verdict") -> Json:
    walk = verdict.walk
    return {
        "whole": not walk.findings,
        "first": walk.first,
        "events": walk.events,
        "findings": [{"number": f.number, "kind": f.kind, "detail": f.detail} for f in walk.findings],
        "anchored_up_to": walk.anchored.number if walk.anchored else None,
        "anchored_at": walk.anchored.at if walk.anchored else None,
        "erased": walk.erased,
        "notes": verdict.notes,
    }


def _print(report: Json, output: Format) -> None:
    if output not in (Format.TABLE, Format.NAME):
        write(report, output)
        return
    typer.echo(f"{'whole' if report['whole'] else 'NOT WHOLE'}: {report['events']} events from {report['first']} on")
    if report["anchored_up_to"]:
        typer.echo(f"anchored up to event {report['anchored_up_to']}, signed at {report['anchored_at']}")
    if report["erased"]:
        typer.echo(f"{report['erased']} pieces of personal data were erased or left out")
    for finding in report["findings"]:
        typer.echo(f"event {finding['number']}: {finding['kind']}: {finding['detail']}")
    for note in report["notes"]:
        typer.echo(f"note: {note}")


def _address(row: Json) -> str:
    held = [part["content"].get("address") for part in row.get("personal", ()) if part["person"] == row["actor"]]
    return str(next((address for address in held if isinstance(address, str)), ""))
