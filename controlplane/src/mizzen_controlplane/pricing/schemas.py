"""Rate cards on the wire. Prices are decimal strings in the organization's currency."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName, example
from mizzen_controlplane.pricing.tiers import Mode

PriceText = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A decimal such as "0.15"."""
PricedModel = Annotated[
    str, StringConstraints(max_length=127, pattern=r"^(\*|[a-zA-Z0-9]([-._/a-zA-Z0-9]*[a-zA-Z0-9])?)$")
]
"""A served name, or "*" for all that no other price names."""


class BatchPrice(Body):
    """What a line of a batch costs; what is absent costs as it does outside of batches."""

    per_million_input_tokens: PriceText | None = None
    """Price of a million prompt tokens."""
    per_million_output_tokens: PriceText | None = None
    """Price of a million generated tokens."""
    per_request: PriceText | None = None
    """Price of a line."""
    per_million_cached_tokens: PriceText | None = None
    """Price of a million prompt tokens that the engine had in its prefix cache."""
    per_million_reasoning_tokens: PriceText | None = None
    """Price of a million generated tokens of reasoning."""
    per_accelerator_second: PriceText | None = None
    """Price of a second of one accelerator."""
    per_response_cache_hit: PriceText | None = None
    """Price of a line that the response cache answers."""


class PriceStep(Body):
    """A stretch of a month's amounts."""

    up_to: Annotated[int, Field(ge=1, le=10**15)] | None = None
    """Last one of it: requests, tokens or seconds. Absent in the last step alone."""
    price: PriceText = "0"
    """As the meter's own price is written: of a million tokens, a request, or a second."""
    flat: PriceText = "0"
    """Once a month, where anything is in the step."""


class TieredPrice(Body):
    """The price of one meter by how much of it a month has: at the invoice it takes the unit price's place.

    Budgets and limits count with the unit price, since a request does not know what its month will come to.
    """

    meter: Annotated[str, StringConstraints(max_length=32)]
    """requests, input_tokens, cached_tokens, output_tokens, reasoning_tokens, accelerator_seconds or
    response_cache_hits."""
    mode: Mode
    """graduated: each part costs what its own step says; volume: all of it costs what the step says that it ends in;
    package: each package that was begun costs `flat`."""
    steps: Annotated[list[PriceStep], Field(min_length=1, max_length=20)]
    """In rising order; a package has one."""
    package_size: Annotated[int, Field(ge=1, le=10**15)] | None = None
    """For packages alone: how many are in one."""


class ModelPrice(Body):
    """What one served model costs."""

    model: PricedModel = "*"
    """Served name, or "*"."""
    per_million_input_tokens: PriceText = "0"
    """Price of a million prompt tokens; at most 6 digits after the point."""
    per_million_output_tokens: PriceText = "0"
    """Price of a million generated tokens; at most 6 digits after the point."""
    per_request: PriceText = "0"
    """Price of a request; at most 12 digits after the point."""
    per_million_cached_tokens: PriceText | None = None
    """Price of a million prompt tokens that the engine had in its prefix cache; absent: as any other of the prompt."""
    per_million_reasoning_tokens: PriceText | None = None
    """Price of a million generated tokens of reasoning; absent: as any other generated one."""
    per_accelerator_second: PriceText | None = None
    """Price of a second of one accelerator; at most 9 digits after the point. Absent: nothing."""
    per_response_cache_hit: PriceText | None = None
    """Price of a request that the response cache answers, which costs nothing else. Absent: nothing."""
    tiers: Annotated[list[TieredPrice], Field(max_length=7)] = Field(default_factory=list)
    """Meters whose price depends on the month's amount. They do not hold for lines of batches with a rate of their
    own."""
    batch: BatchPrice | None = None
    """Rate for lines of batches. Absent: they cost as any request."""


class RateCardWrite(Body):
    """Prices in force from a date; a further body of the same name is the card's next version."""

    model_config = example(
        {
            "name": "standard",
            "prices": [{"model": "*", "per_million_input_tokens": "0.15", "per_million_output_tokens": "0.60"}],
        }
    )

    name: ResourceName
    """Unique in the organization."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    project: str | None = None
    """Id or name of the only project that it is for; absent for all."""
    effective_from: AwareDatetime | None = None
    """When the prices come into force; absent for now."""
    prices: Annotated[list[ModelPrice], Field(min_length=1, max_length=1000)]
    """Prices, one for each model."""


class RateCardVersionView(Body):
    """Prices from a date on."""

    id: str
    """rcv_...; usage names it."""
    effective_from: datetime
    """When they came, or come, into force, UTC."""
    created_at: datetime
    """When they were written, UTC."""
    prices: list[ModelPrice]
    """Prices."""


class RateCardView(Resource):
    """A rate card and its newest version."""

    project_id: str
    """Project that it is for; empty for all."""
    currency: str
    """ISO 4217 code."""
    version_id: str
    """Newest version."""
    effective_from: datetime
    """When the newest version comes, or came, into force, UTC."""
    prices: list[ModelPrice]
    """Prices of the newest version."""
