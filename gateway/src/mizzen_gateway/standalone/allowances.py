"""Who may use what, and how much? Projects, keys, limits, budgets and prices of gateway.yaml."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Literal, Self

from mizzen_crds.access import BudgetUnit, BudgetWindow, Enforcement, Hardness, LimitMetric, OnStoreLoss, Priority
from mizzen_crds.held_limits import HELD_HARDNESS
from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from mizzen_gateway.standalone.parts import (
    MOST_MONEY,
    OFF_UNQUOTED,
    Amount,
    Money,
    Name,
    PerMillion,
    Secret,
    Section,
    ServedName,
    Whole,
)

PER: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
KEY_ID: Final = r"^key_[a-z2-7]{20}$"
DIGEST: Final = r"^[0-9a-f]{64}$"
PRICED: Final = r"^(\*|[a-zA-Z0-9]([-._/a-zA-Z0-9]*[a-zA-Z0-9])?)$"


class Rule(Section):
    """What a limit and a budget have in common."""

    name: Name
    """Unique in the file: refusals and metrics say it."""
    model: ServedName | None = None
    """Only this model; by default all together."""
    enforcement: Annotated[Literal["enforce", "shadow", "off"], OFF_UNQUOTED] = "enforce"
    """`shadow` counts and lets pass."""
    on_store_loss: Literal["refuse", "allow"] = "refuse"
    """What is done while the server of `limits_store` is away."""

    @property
    def enforced(self) -> Enforcement:
        """In the words of the snapshot."""
        return Enforcement(self.enforcement)

    @property
    def on_loss(self) -> OnStoreLoss:
        """In the words of the snapshot."""
        return OnStoreLoss(self.on_store_loss)


class Limit(Rule):
    """At most so much in a time; all of it at once, then as it flows back."""

    metric: Literal["requests", "tokens", "input_tokens", "output_tokens", "concurrency", "cost"]
    """What is counted: `concurrency` is requests under way, `cost` money."""
    amount: Amount
    """Requests or tokens (whole), or money of the file's currency."""
    per: Literal["second", "minute", "hour", "day"] | None = None
    """Time in which the amount flows back."""
    per_seconds: Annotated[Whole, Field(ge=1, le=86_400 * 366)] | None = None
    """The same, any number of seconds."""
    each_user: bool = False
    """Counted for each end user that callers name (`safety_identifier` or `user`)."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        timed = (self.per is not None) + (self.per_seconds is not None)
        if self.metric == "concurrency" and timed:
            raise ValueError("concurrency has no time: it is requests at once; leave `per` and `per_seconds` out")
        if self.metric != "concurrency" and timed != 1:
            raise ValueError("must have either `per` or `per_seconds`, the time that the amount is for")
        _money_fits(self.amount, of_money=self.metric == "cost")
        if self.metric != "cost" and self.amount != int(self.amount):
            raise ValueError(f"amount must be a whole number of {self.metric}")
        return self

    @property
    def window_seconds(self) -> int:
        """0 for concurrency."""
        return self.per_seconds or PER.get(self.per or "", 0)

    @property
    def counts(self) -> LimitMetric:
        """In the words of the snapshot."""
        return LimitMetric(self.metric)


class Budget(Rule):
    """So much to spend, in a period or for ever."""

    unit: Literal["money", "tokens", "accelerator_seconds"] = "money"
    """What it is of; `accelerator_seconds` is refused: a gateway alone knows of no accelerators."""
    amount: Amount
    """Money of the file's currency, or tokens."""
    window: Literal["day", "week", "month", "rolling", "lifetime"]
    """When it begins anew, at midnight in the file's time zone."""
    window_seconds: Annotated[Whole, Field(ge=900, le=86_400 * 366, multiple_of=900)] | None = None
    """Length of a rolling window, which needs it: a multiple of 900."""
    hardness: Literal["hard", "soft"] = "hard"
    """`hard`: a request reserves the most that it can use, and the budget is never overshot."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.window == "rolling" and self.window_seconds is None:
            raise ValueError("`window: rolling` needs its length: add window_seconds (900 to 31622400)")
        if self.window != "rolling" and self.window_seconds is not None:
            raise ValueError("window_seconds belongs to `window: rolling` alone; remove it, or make the window rolling")
        _money_fits(self.amount, of_money=self.unit == "money")
        if self.unit == "tokens" and self.amount != int(self.amount):
            raise ValueError("amount must be a whole number of tokens")
        if BudgetUnit(self.unit) is BudgetUnit.ACCELERATOR_SECONDS:
            raise ValueError(
                f"unit: budgets of {self.unit} are not held by a gateway that runs alone, which knows of none of its"
                " upstreams' accelerators; use money or tokens"
            )
        if Hardness(self.hardness) not in HELD_HARDNESS:
            raise ValueError(f"hardness: {self.hardness} budgets are not held yet; leave it out")
        return self

    @property
    def begins_anew(self) -> BudgetWindow:
        """In the words of the snapshot."""
        return BudgetWindow(self.window)


class ApiKey(Section):
    """A key of a project: its digest, or where it is. `mizzen gateway key` makes one."""

    name: Name
    """For people."""
    id: Annotated[str, StringConstraints(pattern=KEY_ID)] | None = None
    """key_ and the 20 characters after `mzk_`."""
    digest: Annotated[str, StringConstraints(pattern=DIGEST)] | None = None
    """HMAC-SHA256 of the 43 characters after the key's second `_`."""
    key: Secret | None = None
    """Where the whole key (`mzk_...`) is, instead of id and digest."""
    expires_at: AwareDatetime | None = None
    """Refused from then on."""
    models: Annotated[list[ServedName], Field(min_length=1, max_length=1000)] | None = None
    """Models that it may call; by default all that its project may."""
    priority: Priority = Priority.STANDARD
    """The highest that its requests have where there are more than upstreams can answer; a caller may lower it."""
    limits: Annotated[list[Limit], Field(max_length=50)] = []
    """Counted over this key."""
    budgets: Annotated[list[Budget], Field(max_length=20)] = []
    """Spent by this key."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.key is None and (self.id is None or self.digest is None):
            raise ValueError("must have `id` and `digest`, which `mizzen gateway key` prints, or `key`")
        if self.key is not None and (self.id is not None or self.digest is not None):
            raise ValueError("`key` says where the whole key is; `id` and `digest` follow from it: leave them out")
        return self

    @property
    def until(self) -> datetime | None:
        """End of its life."""
        return self.expires_at


class Project(Section):
    """Whose keys, limits and budgets go together; usage is told by project."""

    name: Name
    """Unique in the file."""
    models: Annotated[list[ServedName], Field(min_length=1, max_length=1000)] | None = None
    """Models that its keys may call; by default all."""
    keys: Annotated[list[ApiKey], Field(max_length=100_000)] = []
    """Its keys."""
    limits: Annotated[list[Limit], Field(max_length=50)] = []
    """Counted over all its keys together."""
    budgets: Annotated[list[Budget], Field(max_length=20)] = []
    """Spent by all its keys together."""


class Price(Section):
    """What a model costs. The last one that matches holds."""

    model: Annotated[str, StringConstraints(pattern=PRICED, max_length=63)] = "*"
    """Served name, or `*` for all."""
    project: Name | None = None
    """Only for this project."""
    per_million_input_tokens: PerMillion = Decimal(0)
    """Of a prompt."""
    per_million_output_tokens: PerMillion = Decimal(0)
    """Generated."""
    per_million_cached_tokens: PerMillion | None = None
    """Of a prompt, that the engine had in its prefix cache; by default as any other."""
    per_million_reasoning_tokens: PerMillion | None = None
    """Generated while reasoning; by default as any other."""
    per_request: Money = Decimal(0)
    """For each request."""


def _money_fits(amount: Decimal, *, of_money: bool) -> None:
    if of_money and amount > MOST_MONEY:
        raise ValueError(f"amount must be at most {MOST_MONEY} of money; divide it over several budgets or keys")
