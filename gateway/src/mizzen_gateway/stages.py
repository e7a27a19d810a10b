"""What the stages of the pipeline hand to each other, and the interface of each stage that decides about a request.

`pipeline.py` calls them in order; auth/, limits/ and metering/ implement them; `wiring.py` puts them together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mizzen_gateway.record import record

Network = tuple[int, int, int]
"""Bits of an address (32 or 128), the network's number, and the mask that an address of it is compared under."""
Headers = Mapping[bytes, bytes]
"""Request headers by lower-case name; repeated ones joined by a comma."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no: the protocol of the request decides how its body looks."""

    status: int
    """HTTP status."""
    code: str
    """invalid_api_key, rate_limit_exceeded, ...; see docs of the gateway."""
    message: str
    """For people: names the field, the limit and the remedy."""
    headers: tuple[tuple[str, str], ...] = ()
    """More response headers, e.g. retry-after."""
    param: str | None = None
    """Field of the request that is wrong."""
    has_row: bool = False
    """An engine was asked: the request is counted by its row, and is none that was refused before."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a key speaks for."""

    organization_id: str
    """org_..."""
    project_id: str
    """prj_..."""
    project: str
    """Name of the project."""
    namespace: str
    """Namespace whose deployments are the project's own."""
    key_id: str
    """key_..."""
    models: frozenset[str] | None = None
    """Served names that the key may call; None for all that the project may call."""
    grants: frozenset[str] = frozenset()
    """`project/model` of other projects that this project may call, where those offer it."""
    priority: int = 1
    """The highest that its requests may have under overload: 0 interactive, 1 standard, 2 batch."""
    routes: frozenset[str] = frozenset()
    """Names of routes that the key may call beside `models`, where that is not None."""
    operations: frozenset[str] | None = None
    """What the key may ask for, as `KeyOperation` names it; None for everything."""
    addresses: "tuple[Network, ...] | None" = None
    """Networks that the key may be used from; None for anywhere."""
    batch: bool = False
    """Its requests are lines of a batch, which may have a rate of their own."""
    owner: str = ""
    """Who made the key, as limits of scope owner name it; empty where there are none."""


class Authenticator(Protocol):
    """Stage 2, from the snapshot in memory: never a call per request."""

    def authenticate(self, headers: Headers) -> Caller | Refusal:
        """The caller, or 401 invalid_api_key: same body and work for malformed, unknown, revoked and foreign keys."""
        ...


class AccessView(Protocol):
    """What the snapshot says beside keys."""

    @property
    def ready(self) -> bool:
        """A snapshot is there and not older than its lifetime."""
        ...

    def namespace_of(self, project: str) -> str | None:
        """Namespace of the project of this name; None when there is no such project."""
        ...


@record
class Estimate:
    """The most that a request can use."""

    input_tokens: int
    """Upper bound on the prompt's tokens, all prompts together; 0 where nothing is counted in tokens."""
    choices: int
    """Outputs generated: n (or best_of) x prompts; 0 where nothing is generated."""
    output_tokens: int
    """Upper bound on the tokens of one output: the caller's cap, else the most that the model may write."""
    why_unbounded: "Callable[[], Refusal | None] | None" = None
    """Asked where a budget matches: what a hard one refuses it with, where these numbers bound nothing (images, audio,
    a key that comes twice). None where they always do."""
    forwarded: bool = True
    """An engine will be asked, whose time it takes."""
    closer_input: "Callable[[], int] | None" = None
    """Asked where a hard budget matches: `input_tokens` of a closer look, never less. None where that finds no more."""


@record
class Usage:
    """What a request used."""

    input_tokens: int = 0
    """Prompt tokens, cached ones included."""
    output_tokens: int = 0
    """Generated tokens, reasoning included."""
    estimated: bool = False
    """Counted here rather than told by the engine."""
    billable: bool = True
    """False where the request failed before its first byte: what was reserved is returned, the cost is 0."""
    cached_tokens: int = 0
    """Of the prompt's: those that the engine had in its prefix cache."""
    reasoning_tokens: int = 0
    """Of the generated ones: those that are reasoning."""
    accelerator_ms: int = 0
    """Milliseconds of accelerators; of a request that cost nothing too."""
    response_cache_hit: bool = False
    """The response cache answered: no engine was asked, no tokens are counted."""
    refused: bool = False
    """Not billable, since an engine was asked and found fault with the request: limits count it as one."""


@record
class Charge:
    """Money for a request."""

    cost_pico: int
    """In 10^-12 of the currency's unit."""
    currency: str
    """ISO 4217 code."""
    rate_card_id: str
    """Price that was applied; empty for none."""
    budget_ids: tuple[str, ...]
    """Budgets that it is charged to."""
    token_budget_ids: tuple[str, ...] = ()
    """Of `budget_ids`, those that are charged tokens, not money."""
    holder: str = ""
    """Whose leases it comes out of; empty for the gateway's own."""
    time_budget_ids: tuple[str, ...] = ()
    """Of `budget_ids`, those that are charged milliseconds of accelerators."""


class Allowance(Protocol):
    """What a stream may use of soft budgets, which reserve as it goes."""

    @property
    def until(self) -> int:
        """Generated tokens from which on `reached` wants to be told, unless it is asking."""
        ...

    @property
    def held(self) -> int:
        """Generated tokens that are reserved."""
        ...

    @property
    def asking(self) -> "asyncio.Future[None] | None":
        """Done when the store has said whether there is more; None where it is not being asked."""
        ...

    @property
    def until_ms(self) -> float:
        """Milliseconds of accelerators from which on it wants to be told too; infinite where none are counted."""
        ...

    def reached(self, output_tokens: int, accelerator_ms: int = 0) -> Refusal | None:
        """So much is used. A refusal where nothing is left: the stream ends here. Does not block."""
        ...


class Reservation(Protocol):
    """What stage 4 took from every limit and budget that matches."""

    @property
    def output_cap(self) -> int | None:
        """Tokens that the engine may write for one output, put into the request; None: as the caller asked."""
        ...

    @property
    def allowance(self) -> Allowance | None:
        """For a stream; None where no soft budget applies."""
        ...

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Response headers of an admitted request: x-ratelimit-*."""
        ...

    @property
    def bound(self) -> Charge:
        """The most that the request can cost: what the budgets hold back for it."""
        ...

    def watch(self, so_far: "Callable[[], Usage]") -> None:
        """Where to read, now and then, what was used until now: should this gateway be killed, that is charged."""
        ...

    def price(self, usage: Usage) -> Charge:
        """What settling with that usage will charge."""
        ...

    def settle(self, usage: Usage) -> Charge:
        """Return what was not used and charge what was. Called exactly once, from a `finally`."""
        ...


def nobody() -> str:
    """The end user of a request that names none."""
    return ""


class Quota(Protocol):
    """Stage 4: every limit and budget that matches, in one atomic step."""

    def reserve(
        self, caller: Caller, model: str, estimate: Estimate, now: float, end_user: "Callable[[], str]" = nobody
    ) -> "Reservation | Refusal | Awaitable[Reservation | Refusal]":
        """Take from all or from none.

        `model` is the served name (the main one, never an alias; `project/name` where it is another project's), `now`
        seconds since the epoch; `end_user` tells whom the caller says that it asks for. Awaitable only where a shared
        store decides, or a budget lease must be refilled first.
        """
        ...


@record
class Tried:
    """One try at an engine."""

    endpoint: str
    """Pod."""
    outcome: str
    """ok, or the code of the error."""
    duration_ms: float
    """Time it took."""
    unpaid_tokens: int = 0
    """Of the prompt, which it had to read for nothing: another engine answered."""


@record
class Intent:
    """An admitted request on its way to an engine."""

    request_id: str
    """From `Meter.new_request_id`."""
    caller: Caller
    """For whom."""
    model: str
    """Served name, as given to `Quota.reserve`."""
    namespace: str
    """Namespace of the deployment."""
    deployment: str
    """Name of the deployment."""
    operation: str
    """chat.completions, completions, embeddings, infer."""
    started_at: datetime
    """When the request was parsed, UTC."""


@record
class Outcome:
    """How a request ended."""

    status: int
    """HTTP status that the caller got; 499 where the caller left before one."""
    answered: bool
    """The first byte was written."""
    revision: str
    """Revision that answered, empty for none."""
    duration_ms: float
    """Until the last byte was written."""
    ttft_ms: float | None
    """Until the engine's first byte."""
    usage: Usage
    """What was used."""
    attempts: tuple[Tried, ...]
    """Tries, in order."""
    code: str = ""
    """Code of the error, empty for none."""


class RequestLine(Protocol):
    """The line of the access log of one request."""

    model: str
    """As the caller wrote it."""

    def leg_begins(self, intent: Intent) -> None:
        """A deployment is asked."""
        ...

    def leg_ended(self, intent: Intent, outcome: Outcome) -> None:
        """It is settled."""
        ...

    def over(self, refusal: Refusal | None) -> None:
        """The caller has its answer, or has left; a second call does nothing."""
        ...


class Meter(Protocol):
    """Stages 6 and 8: nothing is answered unmetered."""

    def new_request_id(self) -> str:
        """req_..., sortable by time, unique for ever."""
        ...

    def intend(self, intent: Intent, bound: Charge) -> Refusal | None:
        """Make the intent durable, before the first byte. A refusal (503 quota_unavailable) where the disk is full."""
        ...

    def book(self, intent: Intent, outcome: Outcome, charge: Charge) -> Refusal | None:
        """Make the row of a request durable that was not intended, before the first byte of its answer: it comes whole.

        A refusal as of `intend`; then it may still be settled.
        """
        ...

    def settle(self, intent: Intent, outcome: Outcome, charge: Charge) -> None:
        """Record the end of a request that was not booked, exactly once. Does not block."""
        ...


class Observer(Protocol):
    """Metrics; each call costs a microsecond at most."""

    def ended(self, intent: Intent, outcome: Outcome) -> None:
        """An admitted request ended."""
        ...

    def refused(self, route: str, refusal: Refusal) -> None:
        """A request was refused; `route` is a template of bounded cardinality, e.g. /v1/chat/completions."""
        ...
