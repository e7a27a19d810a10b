"""`mizzen limits|budgets`: how much may be used, in which time, and what is left."""

from collections.abc import Iterable
from typing import Annotated

import typer
from mizzen_crds.access import BudgetUnit, BudgetWindow, Enforcement, Hardness, LimitMetric, OnStoreLoss, Scope

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.commands import limit_questions
from mizzen_cli.output import Column, Format, Output, Row, acknowledge, column, show, show_one
from mizzen_cli.served_names import warn_unserved
from mizzen_cli.session import Project, session
from mizzen_cli.unpriced import warn_unpriced

limits = typer.Typer(help="Limits: requests, tokens or money in a window, or requests at once.", no_args_is_help=True)
budgets = typer.Typer(
    help="Budgets: money, tokens or accelerator-seconds for a day, week, month, rolling window or lifetime.",
    no_args_is_help=True,
)

LONGEST_WINDOW = 31 * 86_400
ROLLING_STEP, LONGEST_ROLLING = 900, 366 * 86_400
"""Seconds: rolling windows of budgets are kept by quarter-hours."""
COUNTED = {
    LimitMetric.REQUESTS: ("--requests", "600"),
    LimitMetric.TOKENS: ("--tokens", "100000"),
    LimitMetric.INPUT_TOKENS: ("--input-tokens", "100000"),
    LimitMetric.OUTPUT_TOKENS: ("--output-tokens", "50000"),
    LimitMetric.CONCURRENCY: ("--concurrent", "8"),
}
"""Option and example of each metric that is a number."""

Name = Annotated[str, typer.Argument(help="Name, unique in the project.")]
Identity = Annotated[str, typer.Argument(help="Name or id.")]
Model = Annotated[str | None, typer.Option(help="Served name that it is confined to; default: all together.")]
Key = Annotated[str | None, typer.Option(help="Key (name or id) that it is counted over; default: the project.")]
Owner = Annotated[
    str | None,
    typer.Option(help="person:ID or service-account:NAME whose keys count together; `mizzen whoami` tells an ID."),
]
CountedOver = Annotated[
    Scope | None,
    typer.Option(
        help="project, owner, key, user (each end user on its own) or model (whoever calls it); default: by --key "
        "and --owner."
    ),
]
BudgetOver = Annotated[
    Scope | None,
    typer.Option(help="project, owner, key or model (whoever calls it); default: by --key and --owner."),
]
Mode = Annotated[Enforcement, typer.Option("--mode", help="enforce refuses, shadow only counts, off rests.")]
NewMode = Annotated[Enforcement | None, typer.Option("--mode", help="enforce, shadow or off.")]
StoreLoss = Annotated[OnStoreLoss, typer.Option(help="What happens while it cannot be checked.")]
NewStoreLoss = Annotated[OnStoreLoss | None, typer.Option(help="What happens while it cannot be checked.")]
NotifyAt = Annotated[
    list[int] | None,
    typer.Option(help="Percentage that is announced to webhooks when it is spent; several times for several."),
]
Organization = Annotated[bool, typer.Option("--organization", help="The organization's, over all projects together.")]
Window = Annotated[int | None, typer.Option(help="Length of the window in seconds.")]


def _scope_text(row: Row) -> str:
    if row.get("scope") == "key":
        return f"key {row.get('scope_id')}"
    if row.get("scope") == "owner":
        return f"owner {str(row.get('scope_id')).rpartition('/')[2]}"
    return f"each user of {row.get('scope_id')}" if row.get("scope") == "user" else str(row.get("scope"))


LIMIT_COLUMNS = (
    column("NAME"),
    column("METRIC"),
    Column("AMOUNT", lambda row: row.get("cost") or row.get("amount")),
    Column("WINDOW-S", lambda row: row.get("window_seconds") or ""),
    Column("SCOPE", _scope_text),
    column("MODEL", spare=True),
    column("MODE", "enforcement"),
    Column("STORE-LOSS", lambda row: "allow" if row.get("on_store_loss") == "allow" else "", spare=True),
)
BUDGET_COLUMNS = (
    column("NAME"),
    column("AMOUNT"),
    column("SPENT"),
    column("LEASED"),
    column("REMAINING"),
    Column("UNIT", lambda row: row.get("currency") if row.get("unit", "money") == "money" else row.get("unit")),
    Column(
        "WINDOW", lambda row: f"{row.get('window_seconds')} s" if row.get("window") == "rolling" else row.get("window")
    ),
    Column("SCOPE", _scope_text),
    column("MODEL", spare=True),
    Column("SOFT", lambda row: "soft" if row.get("hardness") == "soft" else "", spare=True),
    Column("MODE", lambda row: "" if row.get("enforcement") == "enforce" else row.get("enforcement"), spare=True),
    Column("PERIOD-END", lambda row: "never" if row.get("window") == "lifetime" else row.get("period_end")),
)


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    limit_questions.register(limits)
    app.add_typer(limits, name="limits")
    app.add_typer(budgets, name="budgets")


@limits.command("create")
def create_limit(
    name: Name,
    requests: Annotated[int | None, typer.Option(help="Requests in a window.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens in a window, in and out.")] = None,
    input_tokens: Annotated[int | None, typer.Option(help="Prompt tokens in a window.")] = None,
    output_tokens: Annotated[int | None, typer.Option(help="Generated tokens in a window.")] = None,
    concurrent: Annotated[int | None, typer.Option(help="Requests under way at once.")] = None,
    cost: Annotated[str | None, typer.Option(help="Money in a window, as 5.00.")] = None,
    window: Window = None,
    scope: CountedOver = None,
    model: Model = None,
    key: Key = None,
    owner: Owner = None,
    mode: Mode = Enforcement.ENFORCE,
    on_store_loss: StoreLoss = OnStoreLoss.REFUSE,
    organization: Organization = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Limit what may be used in a window (60 seconds, where nothing is said), or at once."""
    numbers = dict(zip(COUNTED, (requests, tokens, input_tokens, output_tokens, concurrent), strict=True))
    body: Json = {"name": name, "enforcement": mode, "on_store_loss": on_store_loss} | _measure(numbers, cost)
    if window is not None:
        if body["metric"] == LimitMetric.CONCURRENCY:
            raise typer.BadParameter("--window goes with every limit but --concurrent, which counts what is under way.")
        _window_in_range(window)
        body["window_seconds"] = window
    with session(project) as api:
        body |= _counted_over(scope, key, owner, model, organization)
        made = api.post(_path(api, "limits", organization), body)
        show_one(_scopes_named(api, [made], output)[0], LIMIT_COLUMNS, output)
        warn_unserved(api, None if organization else model, f"the limit {name}")
        if cost is not None and mode is not Enforcement.OFF:
            warn_unpriced(api, made, f"the limit {name}")


@limits.command("list")
def list_limits(organization: Organization = False, output: Output = Format.TABLE, project: Project = None) -> None:
    """List the project's limits."""
    with session(project) as api:
        rows = api.items(_path(api, "limits", organization))
        show(_scopes_named(api, rows, output), LIMIT_COLUMNS, output)


@limits.command("update")
def update_limit(
    name: Identity,
    amount: Annotated[int | None, typer.Option(help="Requests or tokens in a window, or requests at once.")] = None,
    cost: Annotated[str | None, typer.Option(help="Money in a window.")] = None,
    window: Window = None,
    mode: NewMode = None,
    on_store_loss: NewStoreLoss = None,
    organization: Organization = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Change a limit; what it has counted stays."""
    if window is not None:
        _window_in_range(window)
    changes = _given(amount=amount, cost=cost, window_seconds=window, enforcement=mode, on_store_loss=on_store_loss)
    with session(project) as api:
        row = api.request("PATCH", _path(api, "limits", organization, name), json=changes).json()
        show_one(_scopes_named(api, [row], output)[0], LIMIT_COLUMNS, output)


@limits.command("delete")
def delete_limit(
    name: Identity, organization: Organization = False, output: Output = Format.TABLE, project: Project = None
) -> None:
    """Delete a limit."""
    with session(project) as api:
        api.delete(_path(api, "limits", organization, name))
    acknowledge(f"{name}: deleted.", {"name": name}, output)


@budgets.command("create")
def create_budget(
    name: Name,
    amount: Annotated[str, typer.Option(help="What one window has: 25.00, or a number of tokens or seconds.")],
    unit: Annotated[BudgetUnit, typer.Option(help="What it is of.")] = BudgetUnit.MONEY,
    window: Annotated[BudgetWindow, typer.Option(help="When it begins anew.")] = BudgetWindow.MONTH,
    window_seconds: Annotated[
        int | None, typer.Option(help="Length of a rolling window: a multiple of 900, as 86400.")
    ] = None,
    hardness: Annotated[Hardness, typer.Option(help="hard: never overshot; soft: by little.")] = Hardness.HARD,
    scope: BudgetOver = None,
    model: Model = None,
    key: Key = None,
    owner: Owner = None,
    mode: Mode = Enforcement.ENFORCE,
    on_store_loss: StoreLoss = OnStoreLoss.REFUSE,
    notify_at: NotifyAt = None,
    organization: Organization = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Set a budget: a request that could overshoot a hard one is refused."""
    _rolling_has_its_length(window, window_seconds)
    body: Json = {
        "name": name, "amount": amount, "unit": unit, "window": window, "hardness": hardness, "enforcement": mode,
        "on_store_loss": on_store_loss, **_given(window_seconds=window_seconds, notify_at=notify_at),
    }  # fmt: skip
    with session(project) as api:
        body |= _counted_over(scope, key, owner, model, organization)
        made = api.post(_path(api, "budgets", organization), body)
        show_one(_scopes_named(api, [made], output)[0], BUDGET_COLUMNS, output)
        warn_unserved(api, None if organization else model, f"the budget {name}")
        if unit is BudgetUnit.MONEY and mode is not Enforcement.OFF:
            warn_unpriced(api, made, f"the budget {name}")


@budgets.command("list")
def list_budgets(organization: Organization = False, output: Output = Format.TABLE, project: Project = None) -> None:
    """List the project's budgets with what is spent and left."""
    with session(project) as api:
        rows = api.items(_path(api, "budgets", organization))
        show(_scopes_named(api, rows, output), BUDGET_COLUMNS, output)


@budgets.command("update")
def update_budget(
    name: Identity,
    amount: Annotated[str | None, typer.Option(help="What one window has, in the budget's unit.")] = None,
    hardness: Annotated[Hardness | None, typer.Option(help="hard or soft.")] = None,
    mode: NewMode = None,
    on_store_loss: NewStoreLoss = None,
    notify_at: NotifyAt = None,
    organization: Organization = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Change a budget; what it has spent stays."""
    changes = _given(
        amount=amount, hardness=hardness, enforcement=mode, on_store_loss=on_store_loss, notify_at=notify_at
    )
    with session(project) as api:
        row = api.request("PATCH", _path(api, "budgets", organization, name), json=changes).json()
        show_one(_scopes_named(api, [row], output)[0], BUDGET_COLUMNS, output)


@budgets.command("delete")
def delete_budget(
    name: Identity, organization: Organization = False, output: Output = Format.TABLE, project: Project = None
) -> None:
    """Delete a budget."""
    with session(project) as api:
        api.delete(_path(api, "budgets", organization, name))
    acknowledge(f"{name}: deleted.", {"name": name}, output)


def _measure(numbers: dict[LimitMetric, int | None], cost: str | None) -> Json:
    """Metric and amount, from the one option that was given."""
    given = [(metric, number) for metric, number in numbers.items() if number is not None]
    if len(given) + (cost is not None) != 1:
        options = ", ".join(option for option, _ in COUNTED.values())
        raise typer.BadParameter(f"Give exactly one of {options} and --cost.")
    if cost is not None:
        return {"metric": LimitMetric.COST, "cost": cost}
    [(metric, number)] = given
    if number < 1:
        option, example = COUNTED[metric]
        raise typer.BadParameter(f"{option} {number}: must be at least 1, such as {example}.")
    return {"metric": metric, "amount": number}


def _window_in_range(window: int) -> None:
    if not 1 <= window <= LONGEST_WINDOW:
        raise typer.BadParameter(f"--window {window}: must be 1 to {LONGEST_WINDOW} seconds (31 days), such as 60.")


def _rolling_has_its_length(window: BudgetWindow, seconds: int | None) -> None:
    rolling = window is BudgetWindow.ROLLING
    if rolling and seconds is None:
        raise typer.BadParameter("--window rolling needs its length: add --window-seconds, such as 86400 for a day.")
    if seconds is None:
        return
    if not rolling:
        raise typer.BadParameter(
            f"--window-seconds goes with --window rolling alone; a {window.value} has its own length."
        )
    if seconds % ROLLING_STEP or not ROLLING_STEP <= seconds <= LONGEST_ROLLING:
        raise typer.BadParameter(
            f"--window-seconds {seconds}: must be a multiple of {ROLLING_STEP}, from {ROLLING_STEP} to"
            f" {LONGEST_ROLLING} (366 days), such as 86400."
        )


def _counted_over(
    scope: Scope | None, key: str | None, owner: str | None, model: str | None, organization: bool
) -> Json:
    narrow = Scope.OWNER if owner else Scope.KEY if key else Scope.PROJECT
    return {
        "scope": scope or (Scope.ORGANIZATION if organization else narrow),
        **_given(key=key, owner=owner, model=model),
    }


def _given(**options: object) -> Json:
    return {name: value for name, value in options.items() if value is not None}


def _path(api: ApiClient, kind: str, organization: bool, *rest: str) -> str:
    return "/".join((f"/api/v1/{kind}", *rest)) if organization else api.path(kind, *rest)


def _scopes_named(api: ApiClient, rows: Iterable[Json], output: Format) -> list[Json]:
    """The rows with the names of keys and projects in place of ids, where a person reads them."""
    listed = list(rows)
    if output is not Format.TABLE or all(row["scope"] not in ("key", "user") for row in listed):
        return listed
    names = {row["project_id"]: "the project" if row["project_id"] else "the organization" for row in listed}
    if any(row["project_id"] for row in listed):
        names |= {key["id"]: key["name"] for key in api.items(api.path("keys"))}
    return [{**row, "scope_id": names.get(row["scope_id"], "the organization")} for row in listed]
