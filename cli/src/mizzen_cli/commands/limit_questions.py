"""`mizzen limits explain|simulate`: what decides about a call, and what other limits would have refused."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.output import Column, Format, Output, column, show, show_one
from mizzen_cli.session import Project, session

APPLYING = (
    column("NAME"),
    column("KIND"),
    column("SCOPE"),
    column("MEASURE"),
    column("AMOUNT"),
    Column("USED", lambda row: "?" if row.get("used") is None else row.get("used")),
    Column("HELD", lambda row: row.get("held") or "", spare=True),
    Column("WINDOW-S", lambda row: row.get("window_seconds") or "", spare=True),
    Column("UNTIL", lambda row: row.get("until") or "", spare=True),
    Column("REFUSES", lambda row: "yes" if row.get("refuses") else "", spare=True),
    Column("REMEDY", lambda row: row.get("remedy"), spare=True),
)
TRIED = (column("NAME"), column("REFUSED"), column("FIRST", "first_at"), column("LAST", "last_at"))


def register(limits: typer.Typer) -> None:
    """Add the commands to `mizzen limits`."""
    limits.command("explain")(explain)
    limits.command("simulate")(simulate)


def explain(
    model: Annotated[str, typer.Argument(help="Served name, as a caller writes it.")],
    key: Annotated[str | None, typer.Option(help="Key (name or id) that calls.")] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Say what decides about a call: mizzen limits explain sentiment --key my-app."""
    with session(project) as api:
        told = api.get(api.path("limits") + ":explain", model=model, key=key)
    if output is not Format.TABLE:
        show_one(told, (), output, "model")
        return
    reason = told.get("access", {}).get("reason")
    typer.echo(f"The model may not be called. {reason}" if reason else "The model may be called.")
    show(told.get("applying", []), APPLYING, output)
    if told.get("refused_by"):
        typer.echo(f"A call would be refused now, by {told['refused_by']}.")


def simulate(
    file: Annotated[Path, typer.Option("-f", "--file", help="YAML: `limits`, a list as the REST API takes them.")],
    days: Annotated[int, typer.Option(help="How many days to look back.", min=1, max=90)] = 7,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Try limits on what was used: mizzen limits simulate -f limits.yaml --days 30. It changes nothing."""
    with session(project) as api:
        told = api.post(api.path("limits") + ":simulate", {"limits": _limits_in(file), "days": days})
    if output is not Format.TABLE:
        show_one(told, (), output, "refused")
        return
    counted, since = told.get("requests"), told.get("start")
    typer.echo(f"{told.get('refused')} of {counted} requests since {since} would have been refused.")
    show(told.get("limits", []), TRIED, output)


def _limits_in(file: Path) -> list[Any]:
    try:
        found = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise CommandError(f"{file} cannot be read as YAML: {error}", ExitCode.USAGE) from error
    limits = found.get("limits") if isinstance(found, dict) else found
    if not isinstance(limits, list):
        raise CommandError(f"{file} has no list `limits` of entries with name, metric and amount.", ExitCode.USAGE)
    return limits
