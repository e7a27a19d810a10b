"""Usage events: what a gateway metered, on its way to the ledger, which takes each exactly once."""

from datetime import datetime

from mizzen_crds.wire import Message


class Attempt(Message):
    """One try at an engine."""

    endpoint: str
    """Pod."""
    outcome: str
    """ok, or the code of the error; `outrun`: another engine, asked beside it, began to answer first."""
    duration_ms: float
    """Time it took."""
    unpaid_tokens: int = 0
    """Tokens of the prompt that it had to read for nothing; nobody is charged for them."""


class UsageEvent(Message):
    """One admitted request. (project_id, request_id) is unique for ever."""

    project_id: str
    """prj_..."""
    request_id: str
    """req_...: sortable by time."""
    key_id: str
    """key_..."""
    model: str
    """Served name, as resolved."""
    deployment: str = ""
    """Deployment that answered."""
    revision: str = ""
    """Revision that answered."""
    operation: str
    """chat.completions, completions, embeddings, infer."""
    started_at: datetime
    """When the request was parsed, UTC."""
    duration_ms: float
    """Until the last byte was written."""
    ttft_ms: float | None = None
    """Until the engine's first byte."""
    status: int
    """HTTP status that the caller got."""
    answered: bool
    """The first byte was written."""
    estimated: bool = False
    """Counted rather than told by the engine, or found unfinished after a crash."""
    input_tokens: int = 0
    """Prompt tokens, cached ones included: the ledger tells them apart, and one of an earlier release counts all."""
    output_tokens: int = 0
    """Generated tokens, reasoning included."""
    cached_tokens: int = 0
    """Of the prompt's tokens: those that the engine had in its prefix cache."""
    reasoning_tokens: int = 0
    """Of the generated tokens: those that are reasoning."""
    accelerator_ms: int = 0
    """Milliseconds of accelerators: those of its replica, shared out among the requests that were under way there."""
    response_cache_hit: bool = False
    """Answered by the response cache: no engine was asked, and no tokens are counted."""
    interrupted: bool = False
    """Found unfinished after a crash."""
    cost_pico: int = 0
    """Money, in 10^-12 of the currency's unit."""
    currency: str
    """ISO 4217 code."""
    rate_card_id: str = ""
    """Price that was applied."""
    budget_ids: list[str] = []
    """Budgets that the cost is charged to."""
    gateway: str
    """Holder of the leases that the cost comes out of."""
    attempts: list[Attempt] = []
    """Tries, in order."""


class UsageBatch(Message):
    """Body of `POST /internal/v1/usage/events`."""

    events: list[UsageEvent]
    """At most 1,000."""


class RefusedEvent(Message):
    """An event that the ledger will never take: sending it again cannot help."""

    project_id: str
    """prj_..., as sent."""
    request_id: str
    """req_..., as sent."""
    code: str
    """unknown_project, wrong_currency or out_of_range."""
    detail: str
    """For people: field, limit and remedy."""


class UsageReceipt(Message):
    """Its answer: all events are in the ledger now, but for those refused."""

    accepted: int
    """Events that were new."""
    duplicates: int
    """Events that the ledger had already."""
    refused: list[RefusedEvent] = []
    """Events that it will never take; the others of the batch are in."""
