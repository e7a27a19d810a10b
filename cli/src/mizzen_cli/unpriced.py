"""Has anything that a limit or a budget of money counts a price? If not, a person is told, and it is kept."""

import typer
from mizzen_crds.access import Scope

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.errors import CommandError


def warn_unpriced(api: ApiClient, rule: Json, what: str) -> None:
    """Say on standard error that `what` counts nothing now; `rule` is the limit or budget that the server made.

    Silent where the caller may not see the prices.
    """
    try:
        cards = list(api.items("/api/v1/rate-cards"))
    except CommandError:
        return
    if any(_counts(rule, card, price["model"]) for card in cards for price in card["prices"]):
        return
    whose = f" --model {rule['model']}" if rule.get("model") else ""
    typer.echo(
        f"warning: {what} counts nothing until something that it counts has a price. `mizzen rate-cards create"
        f" list-price{whose} --per-request 0.01` sets one, and `mizzen rate-cards list` shows those there are.",
        err=True,
    )


def _counts(rule: Json, card: Json, priced: str) -> bool:
    """Whether the rule counts what has this price. A model's own rules count what other projects ask of it too."""
    mine = {"", rule.get("project_id") or ""}
    if rule.get("project_id") and rule.get("scope") != Scope.MODEL and card["project_id"] not in mine:
        return False
    model = rule.get("model")
    return not model or priced in ("*", model) or priced.endswith(f"/{model}")
