"""The access snapshot: all that a gateway needs from the control plane to decide about a request on its own."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from mizzen_crds.wire import Message


class Scope(StrEnum):
    """What a limit or a budget is counted over."""

    ORGANIZATION = "organization"
    PROJECT = "project"
    OWNER = "owner"
    """All keys that one person or service account has made in a project, together."""
    KEY = "key"
    USER = "user"
    """Each end user on its own, as callers name them; requests that name none count together as one."""
    MODEL = "model"
    """One model, whoever calls it and under whichever of its names."""


class LimitMetric(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    """Of prompt and answer together."""
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    CONCURRENCY = "concurrency"
    """Requests under way; the only metric without a window."""
    COST = "cost"
    """Money."""


class OnStoreLoss(StrEnum):
    """What a limit does while the store that it is counted in cannot be reached."""

    REFUSE = "refuse"
    ALLOW = "allow"


class BudgetUnit(StrEnum):
    """What a budget is of."""

    MONEY = "money"
    TOKENS = "tokens"
    ACCELERATOR_SECONDS = "accelerator_seconds"


class BudgetWindow(StrEnum):
    """When a budget begins anew."""

    DAY = "day"
    WEEK = "week"
    """Monday to Sunday."""
    MONTH = "month"
    ROLLING = "rolling"
    """Never: what was spent longer ago than `window_seconds` counts no more, quarter-hour by quarter-hour."""
    LIFETIME = "lifetime"
    """Never: what was spent stays spent."""


class Hardness(StrEnum):
    """How a budget is held."""

    HARD = "hard"
    """A request reserves the most that it can use: never overshot."""
    SOFT = "soft"
    """A request reserves what it will probably use, and more as it goes: overshoot is bounded."""


class Enforcement(StrEnum):
    """Whether a limit or budget refuses, only counts, or rests."""

    ENFORCE = "enforce"
    SHADOW = "shadow"
    OFF = "off"


class Priority(StrEnum):
    """Who gives way where there are more requests than can be answered: the last first."""

    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"


class KeyOperation(StrEnum):
    """What a key can be confined to. Asking which models there are and what they take is always allowed."""

    CHAT = "chat.completions"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    RERANK = "rerank"
    SCORE = "score"
    CLASSIFY = "classify"
    TRANSCRIPTIONS = "audio.transcriptions"
    IMAGES = "images.generations"
    INFER = "infer"
    """Of the Open Inference Protocol, over HTTP and gRPC."""
    FILES = "files"
    BATCHES = "batches"
    """To make and read them; what their lines ask for must be allowed besides."""


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
    priority: Priority = Priority.STANDARD
    """The highest that its requests have; a caller may lower it."""
    routes: list[str] | None = None
    """Names of routes that it may call beside `models`: with one of the two set, nothing else. None: no such list."""
    operations: list[KeyOperation] | None = None
    """What it may ask for; None for everything."""
    ip_ranges: list[str] | None = None
    """Networks, as 192.0.2.0/24, that it may be used from; None for anywhere."""
    owner: str = ""
    """`prj_.../per_...` or `prj_.../sva_...`, who made it: the scope_id of limits and budgets of scope owner. Empty
    where there are none of this one's."""

    @property
    def is_narrower_than_first_release_knows(self) -> bool:
        """A gateway of the first release would admit too much with it."""
        return self.routes is not None or self.operations is not None or self.ip_ranges is not None


class LimitAccess(Message):
    """A rate limit, a token bucket over GCRA: `amount` per `window_seconds`, all of it as burst."""

    id: str
    """lim_..."""
    name: str
    """Name, for refusals."""
    scope: Scope
    """What it is counted over; each key or project of the scope has its own count."""
    scope_id: str
    """Id of the organization, project or key; of scope user: whose end users; of scope model: `project/served-name`; of
    scope owner: `project/owner`, both as ids."""
    model: str | None = None
    """Served name that it is confined to; None for all together. None for scope model, whose scope_id says it."""
    metric: LimitMetric
    """What it counts."""
    amount: int
    """Requests or tokens in a window, requests under way, or money in 10^-12 of the currency's unit; >= 1."""
    window_seconds: int
    """Length of the window in seconds; 0 for concurrency."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """Whether it refuses."""
    on_store_loss: OnStoreLoss = OnStoreLoss.REFUSE
    """What it does while the store cannot be reached."""


class BudgetAccess(Message):
    """A budget. Its credit reaches a gateway by lease only.

    Amounts of a budget and of its leases are whole numbers of the smallest part of its unit: money in 10^-12 of the
    currency's unit, tokens, milliseconds of one accelerator. Their names end in _pico for all three, since the first
    release knew money alone.
    """

    id: str
    """bud_..."""
    name: str
    """Name, for refusals."""
    scope: Scope
    """What it is counted over."""
    scope_id: str
    """As of a limit."""
    model: str | None = None
    """As of a limit."""
    amount_pico: int
    """What one period has, in the unit's smallest part."""
    period_start: datetime
    """Begin of the period under way, UTC; of a rolling one: of the window as it was at the snapshot."""
    period_end: datetime
    """End of the period under way, UTC, exclusive; year 9999 where it has none."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """Whether it refuses."""
    unit: BudgetUnit = BudgetUnit.MONEY
    """What it is of."""
    window: BudgetWindow = BudgetWindow.MONTH
    """When it begins anew."""
    window_seconds: int = 0
    """Length of a rolling window, a multiple of 900; 0 for the others."""
    hardness: Hardness = Hardness.HARD
    """How it is held."""
    on_store_loss: OnStoreLoss = OnStoreLoss.REFUSE
    """What it does while the store, or the ledger that its credit comes from, cannot be reached."""


BATCH_RATE = "/batch"
"""Follows the version of the rate card where its rate for batches was applied."""


class Price(Message):
    """What one served model costs. The last price whose model matches wins; model "*" matches all."""

    rate_card_id: str
    """rcv_...: version of the rate card; with `BATCH_RATE` behind it for its rate for batches."""
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
    pico_per_cached_token: int | None = None
    """Price of a prompt token that the engine had in its prefix cache; None: as any other of the prompt."""
    pico_per_reasoning_token: int | None = None
    """Price of a generated token that is reasoning; None: as any other generated one."""
    pico_per_accelerator_ms: int = 0
    """Price of a millisecond of one accelerator."""
    pico_per_response_cache_hit: int = 0
    """Price of a request that the response cache answers: it costs nothing else."""


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
    """Limits that are not off, of the kinds that the first release knew: requests and tokens, for an organization,
    a project or a key."""
    budgets: list[BudgetAccess]
    """Budgets that are not off, of the kinds that the first release can hold: hard ones of money, for the same."""
    prices: list[Price]
    """Prices in force now."""
    grants: list[Grant] = []
    """Models of other projects that projects may call."""
    further_limits: list[LimitAccess] = []
    """Limits of all other kinds. A gateway of an earlier release passes over the whole field, where a value that it
    does not know in `limits` would cost it the snapshot."""
    further_budgets: list[BudgetAccess] = []
    """Budgets of all other kinds."""
    owner_limits: list[LimitAccess] = []
    """Limits of scope owner, which a gateway of an earlier release passes over."""
    owner_budgets: list[BudgetAccess] = []
    """Budgets of scope owner."""
    batch_prices: list[Price] = []
    """What takes the place of a price of the same version and model, for lines of batches."""
    further_keys: list[KeyAccess] = []
    """Keys that are confined in ways that the first release did not know: a gateway of that release refuses them,
    where it would admit too much if they were in `keys`."""


class AccessDelta(Message):
    """What has changed of keys between two versions, where nothing else has."""

    after: int
    """Version that it is to be applied to."""
    version: int
    """Version that comes of it."""
    keys: list[KeyAccess]
    """Keys that are new or have changed, whole."""
    removed_keys: list[str]
    """Ids of keys that open nothing any more."""


class AccessFeedLine(Message):
    """One line of `GET /internal/v1/access/watch`."""

    type: Literal["SNAPSHOT", "DELTA", "HEARTBEAT"]
    """SNAPSHOT where the reader's version is unknown or more than keys has changed since; DELTA, for readers that ask
    for deltas, where keys alone have; HEARTBEAT each second without news."""
    version: int
    """Newest version."""
    snapshot: AccessSnapshot | None = None
    """The state, for SNAPSHOT."""
    delta: AccessDelta | None = None
    """What has changed, for DELTA."""
    signature: str = ""
    """Of the text of snapshot or delta: see `access_signature`."""


class LeaseRequest(Message):
    """A gateway asks for budget credit, or renews and returns it."""

    holder: str
    """Stable name of the gateway, or `store@epoch` of a store that gateways share; a budget has at most one lease for
    each holder."""
    budget_id: str
    """bud_..."""
    want_pico: int
    """Unspent credit that the holder wants to have in hand, counting what it holds; in the smallest part of the
    budget's unit, as all amounts of a lease."""


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
    """End of that period, UTC, exclusive; year 9999 where it has none."""
    expires_at: datetime
    """The lease returns to the budget then, UTC, unless renewed."""
    charged_pico: int = 0
    """All that was ever charged to the holder in this period. `credit_pico` falls by what this rises by."""
    sequence: int = 0
    """Orders the answers that a holder gets about a budget: a higher one is newer. 0 from an older control plane."""
    closed_until: datetime | None = None
    """Set where the holder `store@epoch` gets nothing because an earlier epoch of its store still holds credit: that
    store lost its memory, and requests that it had admitted may still be spending."""
