"""Usage and requests on the wire."""

from datetime import datetime
from typing import Any

from mizzen_controlplane.kit.wire import Body


class UsageRow(Body):
    """Usage of one group in one bucket."""

    bucket_start: datetime
    """Begin of the quarter of an hour, hour, day or month, UTC."""
    model: str = ""
    """Served name, where grouped by model."""
    operation: str = ""
    """Operation, where grouped by operation."""
    key: str = ""
    """Name of the key, where grouped by key."""
    key_id: str = ""
    """Id of the key, where grouped by key."""
    status_class: int = 0
    """2 for 2xx, and so on, where grouped by it."""
    rate_card_version: str = ""
    """Price that was applied, where grouped by it."""
    requests: int
    """Requests admitted."""
    input_tokens: int
    """Prompt tokens, without cached ones."""
    cached_tokens: int
    """Prompt tokens that the engine had in its prefix cache."""
    output_tokens: int
    """Generated tokens, without reasoning."""
    reasoning_tokens: int
    """Generated tokens of reasoning."""
    accelerator_seconds: float
    """Time of accelerators, shared out among the requests that were under way at a replica."""
    response_cache_hits: int
    """Requests that the response cache answered."""
    cost: str
    """Money, exact."""
    currency: str
    """ISO 4217 code."""


class UsageView(Body):
    """Usage of a project."""

    start: datetime
    """From, UTC."""
    end: datetime
    """Until, UTC, exclusive."""
    items: list[UsageRow]
    """Rows by bucket and group."""
    next_page_token: str = ""
    """Empty on the last page."""


class RequestView(Body):
    """What is known of one request; never its content."""

    id: str
    """req_..."""
    key_id: str
    """Key."""
    model: str
    """Served name."""
    deployment: str
    """Deployment that answered."""
    revision: str
    """Revision that answered."""
    operation: str
    """chat.completions, completions, embeddings or infer."""
    started_at: datetime
    """When it was parsed, UTC."""
    duration_ms: float
    """Until the last byte was written."""
    ttft_ms: float | None
    """Until the engine's first byte."""
    status: int
    """HTTP status."""
    answered: bool
    """The first byte was written."""
    estimated: bool
    """Counted rather than told by the engine."""
    interrupted: bool
    """Found unfinished after a crash of its gateway."""
    input_tokens: int
    """Prompt tokens, without cached ones."""
    cached_tokens: int
    """Prompt tokens that the engine had in its prefix cache."""
    output_tokens: int
    """Generated tokens, without reasoning."""
    reasoning_tokens: int
    """Generated tokens of reasoning."""
    accelerator_seconds: float
    """Time of accelerators, shared out among the requests that were under way at a replica."""
    response_cache_hit: bool
    """The response cache answered."""
    cost: str
    """Money, exact."""
    currency: str
    """ISO 4217 code."""
    rate_card_version: str
    """Price that was applied."""
    gateway: str
    """Gateway that answered."""
    attempts: list[dict[str, Any]]
    """Tries, in order."""
