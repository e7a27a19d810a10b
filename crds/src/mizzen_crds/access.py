"""The access snapshot: all that a gateway needs from the control plane to decide about a request on its own."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from mizzen_crds.wire import Message


class Scope(StrEnum):
    """What a limit or a budget is counted over."""

    ORGANIZATION = "organization"
    PROJECT = "project"
    KEY = "key"


class LimitMetric(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"


class Enforcement(StrEnum):
    """Whether a limit or budget refuses, only counts, or rests."""

    ENFORCE = "enforce"
    SHADOW = "shadow"
    OFF = "off"


class ProjectAccess(Message):
    """A tenant."""

    id: str
    """prj_..."""
    name: str
    """Unique name."""
    namespace: str
    """Namespace whose workloads are its own."""


class KeyAccess(Message):
    """An API key. A revoked key is not in the snapshot; one that is in it may have expired."""

    id: str
    """key_...; the public half of `mzk_<id without prefix>_<secret>`."""
    digest: str
    """Hex of HMAC-SHA256(pepper, secret)."""
    previous_digest: str | None = None
    """The same of the secret before the last rotation, which works until `previous_expires_at`."""
    previous_expires_at: datetime | None = None
    """End of the rotation's overlap, UTC."""
    project_id: str
    """Project that it acts for."""
    expires_at: datetime | None = None
    """Refused from then on, UTC."""
    models: list[str] | None = None
    """Served names that it may call; None for all that the project may call."""


class LimitAccess(Message):
    """A rate limit, a token bucket over GCRA: `amount` per `window_seconds`, all of it as burst."""

    id: str
    """lim_..."""
    name: str
    """Name, for refusals."""
    scope: Scope
    """What it is counted over; each key or project of the scope has its own count."""
    scope_id: str
    """Id of the organization, project or key."""
    model: str | None = None
    """Served name that it is confined to; None for all together."""
    metric: LimitMetric
    """What it counts."""
    amount: int
    """Requests or tokens in a window, >= 1."""
    window_seconds: int
    """Length of the window in seconds."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """Whether it refuses."""


class BudgetAccess(Message):
    """A hard money budget. Its credit reaches a gateway by lease only."""

    id: str
    """bud_..."""
    name: str
    """Name, for refusals."""
    scope: Scope
    """What it is counted over."""
    scope_id: str
    """Id of the organization, project or key."""
    model: str | None = None
    """Served name that it is confined to."""
    amount_pico: int
    """Money in one period, in 10^-12 of the currency's unit."""
    period_start: datetime
    """Begin of the period under way, UTC."""
    period_end: datetime
    """End of the period under way, UTC, exclusive."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """Whether it refuses."""


class Price(Message):
    """What one served model costs. The last price whose model matches wins; model "*" matches all."""

    rate_card_id: str
    """rcv_...: version of the rate card."""
    project_id: str | None = None
    """Project that the price is made for; None for all."""
    model: str
    """Served name, or "*"."""
    pico_per_input_token: int = 0
    """Price of a prompt token, in 10^-12 of the currency's unit."""
    pico_per_output_token: int = 0
    """Price of a generated token."""
    pico_per_request: int = 0
    """Price of a request."""


class Grant(Message):
    """A project may call another project's model, where the model's deployment offers it to that project."""

    project_id: str
    """Project that may call it."""
    model: str
    """`owner-project/served-name`."""


class AccessSnapshot(Message):
    """The state of access at one version."""

    version: int
    """From the locked counter: every later commit has a higher one."""
    organization_id: str
    """org_..."""
    currency: str
    """ISO 4217 code of all amounts."""
    projects: list[ProjectAccess]
    """Tenants."""
    keys: list[KeyAccess]
    """Keys that are not revoked."""
    limits: list[LimitAccess]
    """Limits that are not off."""
    budgets: list[BudgetAccess]
    """Budgets that are not off."""
    prices: list[Price]
    """Prices in force now."""
    grants: list[Grant] = []
    """Models of other projects that projects may call."""


class AccessFeedLine(Message):
    """One line of `GET /internal/v1/access/watch`."""

    type: Literal["SNAPSHOT", "HEARTBEAT"]
    """SNAPSHOT after each change, and first where the reader's version is not the newest; HEARTBEAT each second."""
    version: int
    """Newest version."""
    snapshot: AccessSnapshot | None = None
    """The state, for SNAPSHOT."""


class LeaseRequest(Message):
    """A gateway asks for budget credit, or renews and returns it."""

    holder: str
    """Stable name of the gateway; a budget has at most one lease for each holder."""
    budget_id: str
    """bud_..."""
    want_pico: int
    """Unspent credit that the holder wants to have in hand, counting what it holds."""


class LeaseGrant(Message):
    """Credit that a gateway holds: charged as its usage events arrive, returned when it expires."""

    budget_id: str
    """bud_..."""
    credit_pico: int
    """Unspent credit that the ledger has set aside for the holder, before events still on their way."""
    remaining_pico: int
    """What is left in the budget beyond all leases."""
    period_start: datetime
    """Period that the credit belongs to, UTC."""
    period_end: datetime
    """End of that period, UTC, exclusive."""
    expires_at: datetime
    """The lease returns to the budget then, UTC, unless renewed."""
