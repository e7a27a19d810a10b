"""`mizzen rate-cards|usage|invoice`: what was used, and at what price."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import typer

from mizzen_cli.client import Json
from mizzen_cli.output import Column, Format, Output, column, show, show_one, write
from mizzen_cli.served_names import warn_unserved_anywhere
from mizzen_cli.session import Project, session

rate_cards = typer.Typer(help="Rate cards: prices, effective from a date.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name, unique in the organization.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.add_typer(rate_cards, name="rate-cards")
    app.command("usage")(usage)
    app.command("invoice")(invoice)


@rate_cards.command("create")
def create_rate_card(
    name: Name,
    model: Annotated[str, typer.Option(help='Served name, or "*" for all.')] = "*",
    per_million_input: Annotated[str | None, typer.Option(help="Price of a million prompt tokens.")] = None,
    per_million_output: Annotated[str | None, typer.Option(help="Price of a million generated tokens.")] = None,
    per_request: Annotated[str | None, typer.Option(help="Price of a request.")] = None,
    per_million_cached: Annotated[
        str | None, typer.Option(help="Price of a million prompt tokens of the prefix cache; default: as the others.")
    ] = None,
    per_million_reasoning: Annotated[
        str | None, typer.Option(help="Price of a million tokens of reasoning; default: as the other generated ones.")
    ] = None,
    per_accelerator_second: Annotated[str | None, typer.Option(help="Price of a second of an accelerator.")] = None,
    per_response_cache_hit: Annotated[
        str | None, typer.Option(help="Price of a request that the response cache answers.")
    ] = None,
    batch_per_million_input: Annotated[
        str | None, typer.Option(help="The same of lines of batches; default: as of any request.")
    ] = None,
    batch_per_million_output: Annotated[str | None, typer.Option(help="Likewise, of generated tokens.")] = None,
    batch_per_request: Annotated[str | None, typer.Option(help="Likewise, of each line.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Set prices from now on; a further one of the same name is its next version, with its own prices alone."""
    prices = {
        "per_million_input_tokens": per_million_input,
        "per_million_output_tokens": per_million_output,
        "per_request": per_request,
        "per_million_cached_tokens": per_million_cached,
        "per_million_reasoning_tokens": per_million_reasoning,
        "per_accelerator_second": per_accelerator_second,
        "per_response_cache_hit": per_response_cache_hit,
    }
    batch = {
        "per_million_input_tokens": batch_per_million_input,
        "per_million_output_tokens": batch_per_million_output,
        "per_request": batch_per_request,
    }
    given: dict[str, object] = {field: price for field, price in prices.items() if price is not None}
    if not given:
        raise typer.BadParameter(
            "No price was given. Write at least one, such as --per-request 0.01 (0 for a model that costs nothing). "
            "The same NAME again, with other prices, writes the card's next version."
        )
    rate = {field: price for field, price in batch.items() if price is not None}
    body = {"name": name, "prices": [{"model": model, **given, **({"batch": rate} if rate else {})}]}
    with session() as api:
        show_one(api.post("/api/v1/rate-cards", body), (column("NAME"), column("EFFECTIVE", "effective_from")), output)
        warn_unserved_anywhere(api, model, name)


@rate_cards.command("list")
def list_rate_cards(output: Output = Format.TABLE) -> None:
    """List rate cards."""
    with session() as api:
        columns = (column("NAME"), column("EFFECTIVE", "effective_from"), Column("PRICES", _prices))
        show(api.items("/api/v1/rate-cards"), columns, output)


def usage(
    start: Annotated[
        str | None, typer.Option(help="From, as 2027-01-01T00:00:00Z; default: begin of the month.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="Until, exclusive; default: now.")] = None,
    bucket: Annotated[str, typer.Option(help="15m, hour, day or month.")] = "month",
    group_by: Annotated[
        str, typer.Option(help="Of model, key, operation, status_class, rate_card_version, as model,key.")
    ] = "model",
    chosen: Annotated[str, typer.Option("--filter", help="As 'model = \"chat\" AND status_class = 2'.")] = "",
    focus: Annotated[
        str | None, typer.Option(help="Print this month, as 2027-01, as CSV of FOCUS 1.2, with its costs, instead.")
    ] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Show requests, tokens and cost; `mizzen usage --focus 2027-01 > costs.csv` is for tools that compare costs."""
    if focus is not None:
        with session(project) as api:
            typer.echo(api.request("GET", api.path("usage:exportFocus"), params={"month": focus}).text, nl=False)
        return
    columns = (
        column("START", "bucket_start"),
        column("MODEL", spare=True),
        column("KEY", spare=True),
        Column("OPERATION", lambda row: row.get("operation") or "", spare=True),
        Column("STATUS", lambda row: f"{row['status_class']}xx" if row.get("status_class") else "", spare=True),
        Column("PRICE", lambda row: row.get("rate_card_version") or "", spare=True),
        column("REQUESTS"),
        column("INPUT", "input_tokens"),
        Column("CACHED", lambda row: row["cached_tokens"] or "", spare=True),
        column("OUTPUT", "output_tokens"),
        Column("REASONING", lambda row: row["reasoning_tokens"] or "", spare=True),
        Column("ACCELERATOR-S", lambda row: row["accelerator_seconds"] or "", spare=True),
        Column("CACHE-HITS", lambda row: row["response_cache_hits"] or "", spare=True),
        column("COST"),
        column("CURRENCY"),
    )
    with session(project) as api:
        asked = {"start": start, "end": end, "bucket": bucket, "group_by": group_by, "filter": chosen or None}
        rows = api.get(api.path("usage"), **asked)["items"]
    show(rows, columns, output, name="model")


def invoice(
    month: Annotated[str | None, typer.Argument(help="Month as 2027-01, id or number; default: this month.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print as CSV.")] = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Show an invoice: it gathers while the month is under way, and is a draft until `mizzen invoices finalize`."""
    with session(project) as api:
        path = api.path("invoices", month or _this_month())
        if csv:
            typer.echo(api.request("GET", path, params={"format": "csv"}).text, nl=False)
            return
        answer = api.get(path)
    if output is Format.NAME:
        typer.echo(answer["name"])
        return
    if output is not Format.TABLE:
        write(answer, output)
        return
    columns = (
        column("MODEL"),
        column("WHAT", "kind"),
        column("QUANTITY"),
        column("UNIT-PRICE", "unit_price"),
        column("AMOUNT"),
    )
    show(answer["lines"], columns, output)
    typer.echo(f"\nTotal {answer['total']} {answer['currency']} ({answer['state']})")


def _prices(row: Json) -> str:
    return "; ".join(f"{price['model']}: {', '.join(_parts(price))}" for price in row["prices"])


def _parts(price: Json) -> list[str]:
    told = [
        f"{text} {part.replace('_', ' ')}"
        for part, text in price.items()
        if part not in {"model", "batch"} and Decimal(text or 0)
    ]
    batch = {part: text for part, text in (price.get("batch") or {}).items() if text is not None}
    return [*told, *(f"{text} {part.replace('_', ' ')} of batches" for part, text in batch.items())]


def _this_month() -> str:
    return datetime.now(UTC).strftime("%Y-%m")
