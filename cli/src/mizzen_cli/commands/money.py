"""`mizzen limits|budgets|rate-cards|usage|invoice|audit`: how much, at what price, and who did what."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import typer

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.output import Column, Format, Output, acknowledge, column, show, show_one, write
from mizzen_cli.served_names import warn_unserved
from mizzen_cli.session import Project, session

limits = typer.Typer(help="Rate limits: requests or tokens in a window.", no_args_is_help=True)
budgets = typer.Typer(help="Budgets: money in a calendar month, never overshot.", no_args_is_help=True)
rate_cards = typer.Typer(help="Rate cards: prices, effective from a date.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name, unique in the project.")]
Identity = Annotated[str, typer.Argument(help="Name or id.")]
Model = Annotated[str | None, typer.Option(help="Served name that it is confined to; default: all together.")]
Key = Annotated[str | None, typer.Option(help="Key (name or id) that it is counted over; default: the project.")]
LONGEST_WINDOW = 31 * 86_400
LIMIT_COLUMNS = (
    column("NAME"),
    column("METRIC"),
    column("AMOUNT"),
    column("WINDOW-S", "window_seconds"),
    Column("SCOPE", lambda row: row["scope"] if row["scope"] == "project" else f"key {row['scope_id']}"),
    column("MODEL", spare=True),
    column("MODE", "enforcement"),
)
BUDGET_COLUMNS = (
    column("NAME"),
    column("AMOUNT"),
    column("SPENT"),
    column("LEASED"),
    column("REMAINING"),
    column("CURRENCY"),
    Column("SCOPE", lambda row: row["scope"] if row["scope"] == "project" else f"key {row['scope_id']}"),
    column("MODEL", spare=True),
    column("PERIOD-END", "period_end"),
)


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.add_typer(limits, name="limits")
    app.add_typer(budgets, name="budgets")
    app.add_typer(rate_cards, name="rate-cards")
    app.command("usage")(usage)
    app.command("invoice")(invoice)
    app.command("audit")(audit)


@limits.command("create")
def create_limit(
    name: Name,
    requests: Annotated[int | None, typer.Option(help="Requests in a window.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens in a window, in and out.")] = None,
    window: Annotated[int, typer.Option(help="Length of the window in seconds.")] = 60,
    model: Model = None,
    key: Key = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Limit requests or tokens in a window."""
    if (requests is None) == (tokens is None):
        raise typer.BadParameter("Give exactly one of --requests and --tokens.")
    _at_least_one("--requests", requests, "600")
    _at_least_one("--tokens", tokens, "100000")
    if not 1 <= window <= LONGEST_WINDOW:
        raise typer.BadParameter(f"--window {window}: must be 1 to {LONGEST_WINDOW} seconds (31 days), such as 60.")
    body: Json = {
        "name": name,
        "metric": "requests" if requests is not None else "tokens",
        "amount": requests if requests is not None else tokens,
        "window_seconds": window,
    }
    with session(project) as api:
        body |= _scope(key, model)
        made = api.post(api.path("limits"), body)
        show_one(_scopes_named(api, [made], output)[0], LIMIT_COLUMNS, output)
        warn_unserved(api, model, f"the limit {name}")


@limits.command("list")
def list_limits(output: Output = Format.TABLE, project: Project = None) -> None:
    """List the project's limits."""
    with session(project) as api:
        show(_scopes_named(api, api.items(api.path("limits")), output), LIMIT_COLUMNS, output)


@limits.command("delete")
def delete_limit(name: Identity, output: Output = Format.TABLE, project: Project = None) -> None:
    """Delete a limit."""
    with session(project) as api:
        api.delete(api.path("limits", name))
    acknowledge(f"{name}: deleted.", {"name": name}, output)


@budgets.command("create")
def create_budget(
    name: Name,
    amount: Annotated[str, typer.Option(help="Money in a calendar month, as 25.00.")],
    model: Model = None,
    key: Key = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Set a hard budget: a request that could overshoot it is refused."""
    with session(project) as api:
        body = {"name": name, "amount": amount, **_scope(key, model)}
        made = api.post(api.path("budgets"), body)
        show_one(_scopes_named(api, [made], output)[0], BUDGET_COLUMNS, output)
        warn_unserved(api, model, f"the budget {name}")


@budgets.command("list")
def list_budgets(output: Output = Format.TABLE, project: Project = None) -> None:
    """List the project's budgets with what is spent and left."""
    with session(project) as api:
        show(_scopes_named(api, api.items(api.path("budgets")), output), BUDGET_COLUMNS, output)


@budgets.command("delete")
def delete_budget(name: Identity, output: Output = Format.TABLE, project: Project = None) -> None:
    """Delete a budget."""
    with session(project) as api:
        api.delete(api.path("budgets", name))
    acknowledge(f"{name}: deleted.", {"name": name}, output)


@rate_cards.command("create")
def create_rate_card(
    name: Name,
    model: Annotated[str, typer.Option(help='Served name, or "*" for all.')] = "*",
    per_million_input: Annotated[str | None, typer.Option(help="Price of a million prompt tokens.")] = None,
    per_million_output: Annotated[str | None, typer.Option(help="Price of a million generated tokens.")] = None,
    per_request: Annotated[str | None, typer.Option(help="Price of a request.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Set prices from now on; a further one of the same name is its next version, with its own prices alone."""
    prices = {
        "per_million_input_tokens": per_million_input,
        "per_million_output_tokens": per_million_output,
        "per_request": per_request,
    }
    given = {field: price for field, price in prices.items() if price is not None}
    if not given:
        raise typer.BadParameter(
            "No price was given. Write at least one, such as --per-request 0.01 (0 for a model that costs nothing). "
            "The same NAME again, with other prices, writes the card's next version."
        )
    body = {"name": name, "prices": [{"model": model, **given}]}
    with session() as api:
        show_one(api.post("/api/v1/rate-cards", body), (column("NAME"), column("EFFECTIVE", "effective_from")), output)


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
    bucket: Annotated[str, typer.Option(help="hour, day or month.")] = "month",
    group_by: Annotated[str, typer.Option(help="model, key or both, as model,key.")] = "model",
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Show requests, tokens and cost."""
    columns = (
        column("START", "bucket_start"),
        column("MODEL", spare=True),
        column("KEY", spare=True),
        column("REQUESTS"),
        column("INPUT", "input_tokens"),
        column("OUTPUT", "output_tokens"),
        column("COST"),
        column("CURRENCY"),
    )
    with session(project) as api:
        rows = api.get(api.path("usage"), start=start, end=end, bucket=bucket, group_by=group_by)["items"]
    show(rows, columns, output, name="model")


def invoice(
    month: Annotated[str | None, typer.Argument(help="Month as 2027-01; default: this one.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print as CSV.")] = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Show a month's invoice; a draft until the month is over."""
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


def audit(
    limit: Annotated[int, typer.Option(help="Newest events to show.")] = 50,
    output: Output = Format.TABLE,
) -> None:
    """Show who did what, newest first."""
    columns = (
        column("TIME", "at"),
        column("WHO", "actor"),
        column("ACTION"),
        Column("WHAT", lambda row: row["resource_name"] or row["resource"]),
        column("OUTCOME"),
    )
    with session() as api:
        rows = api.get("/api/v1/audit-events", page_size=limit)["items"]
    show(rows, columns, output, name="id")


def _prices(row: Json) -> str:
    parts = ("per_million_input_tokens", "per_million_output_tokens", "per_request")
    return "; ".join(
        f"{price['model']}: "
        + ", ".join(f"{price[part]} {part.replace('_', ' ')}" for part in parts if Decimal(price[part]))
        for price in row["prices"]
    )


def _at_least_one(option: str, amount: int | None, example: str) -> None:
    if amount is not None and amount < 1:
        raise typer.BadParameter(f"{option} {amount}: must be at least 1, such as {example}.")


def _scopes_named(api: ApiClient, rows: Iterable[Json], output: Format) -> list[Json]:
    """The rows with a key's name in place of its id, where a person reads them."""
    listed = list(rows)
    if output is not Format.TABLE or all(row["scope"] != "key" for row in listed):
        return listed
    names = {key["id"]: key["name"] for key in api.items(api.path("keys"))}
    return [{**row, "scope_id": names.get(row["scope_id"], row["scope_id"])} for row in listed]


def _scope(key: str | None, model: str | None) -> Json:
    scope = {"scope": "key", "key": key} if key else {"scope": "project"}
    return {**scope, **({"model": model} if model else {})}


def _this_month() -> str:
    return datetime.now(UTC).strftime("%Y-%m")
