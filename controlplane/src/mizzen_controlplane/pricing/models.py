"""Tables of prices: rate cards, and their versions, each in force from a date."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, Index
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.tables import ResourceRow

BATCH: Final = "batch"
"""Under which a price has its rate for batches."""

TIERS: Final = "tiers"
"""Under which a price has what depends on the month's amount; gateways and releases before do not look at it."""


class RateCard(ResourceRow, table=True):
    """A named list of prices, for all projects or for one."""

    __tablename__ = "rate_card"

    name: str = Field(max_length=253, unique=True)
    project_id: str | None = Field(default=None, foreign_key="project.id", max_length=64)


class RateCardVersion(SQLModel, table=True):
    """Prices from a date on. Never changed: usage names the version that it was priced with."""

    __tablename__ = "rate_card_version"
    __table_args__ = (Index("ix_rate_card_version_card", "rate_card_id", "effective_from"),)

    id: str = Field(primary_key=True, max_length=64)
    rate_card_id: str = Field(foreign_key="rate_card.id", max_length=64)
    effective_from: datetime = Field(sa_type=UtcDateTime, index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    prices: list[dict[str, Any]] = Field(sa_type=JSON)
    """Each {model, pico_per_input_token, ..., batch}; the last, where it is there, has prices alone."""
