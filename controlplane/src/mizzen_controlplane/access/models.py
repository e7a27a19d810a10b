"""Table of the moment up to which time itself has changed access (a month ended, a price came into force)."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.columns import UtcDateTime


class AccessClock(SQLModel, table=True):
    """One row."""

    __tablename__ = "access_clock"

    id: int = Field(default=1, primary_key=True)
    passed_until: datetime = Field(sa_type=UtcDateTime)
    """Every boundary until then has its version."""
