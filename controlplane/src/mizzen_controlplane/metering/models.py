"""Tables of the ledger: every request once, and quarter-hours that add them up."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Index, false
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.columns import UtcDateTime

FROM_0: Final = {"server_default": "0"}
"""For the release before, which knows fewer meters."""


class LedgerEntry(SQLModel, table=True):
    """One admitted request; never changed. Its meters are disjoint."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        Index("ix_ledger_entry_started", "project_id", "started_at", "request_id"),
        Index("ix_ledger_entry_quarter", "quarter"),
    )

    project_id: str = Field(primary_key=True, max_length=64)
    request_id: str = Field(primary_key=True, max_length=64)
    key_id: str = Field(max_length=64)
    model: str = Field(max_length=127)
    deployment: str = Field(default="", max_length=63)
    revision: str = Field(default="", max_length=63)
    operation: str = Field(max_length=63)
    started_at: datetime = Field(sa_type=UtcDateTime)
    quarter: datetime = Field(sa_type=UtcDateTime)
    """Begin of the quarter-hour that it is added up in."""
    duration_ms: float
    ttft_ms: float | None = None
    status: int
    answered: bool
    estimated: bool
    interrupted: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """Found unfinished after a crash of its gateway."""
    input_tokens: int = Field(sa_type=BigInteger)
    """Of the prompt, without cached ones."""
    cached_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=FROM_0)
    output_tokens: int = Field(sa_type=BigInteger)
    """Generated, without reasoning."""
    reasoning_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=FROM_0)
    accelerator_ms: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=FROM_0)
    response_cache_hits: int = Field(default=0, sa_column_kwargs=FROM_0)
    """1 where the response cache answered."""
    cost_pico: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    rate_card_id: str = Field(default="", max_length=64)
    """Version of the rate card."""
    budget_ids: str = Field(default="", max_length=2048)
    """Sorted, comma-separated."""
    gateway: str = Field(max_length=253)
    attempts: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    received_at: datetime = Field(sa_type=UtcDateTime)


class UsageRollup(SQLModel, table=True):
    """Requests of one quarter-hour that agree in everything named here, added up."""

    __tablename__ = "usage_rollup"
    __table_args__ = (Index("ix_usage_rollup_project", "project_id", "quarter"),)

    id: str = Field(primary_key=True, max_length=32)
    """Digest of all columns up to `billed`."""
    quarter: datetime = Field(sa_type=UtcDateTime, index=True)
    project_id: str = Field(max_length=64)
    key_id: str = Field(max_length=64)
    model: str = Field(max_length=127)
    operation: str = Field(max_length=63)
    status_class: int
    """2 for 2xx, and so on."""
    estimated: bool
    rate_card_id: str = Field(max_length=64)
    budget_ids: str = Field(max_length=2048)
    billed: bool
    """Cost more than nothing."""
    requests: int = Field(sa_type=BigInteger)
    input_tokens: int = Field(sa_type=BigInteger)
    cached_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=FROM_0)
    output_tokens: int = Field(sa_type=BigInteger)
    reasoning_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=FROM_0)
    accelerator_ms: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=FROM_0)
    response_cache_hits: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=FROM_0)
    cost_pico: int = Field(sa_type=BigInteger)
