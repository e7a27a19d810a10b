"""Table of rate limits."""

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field

from mizzen_controlplane.kit.tables import ResourceRow


class Limit(ResourceRow, table=True):
    """A rate limit: `amount` requests or tokens in each window."""

    __tablename__ = "limit_rule"
    __table_args__ = (UniqueConstraint("parent_id", "name"),)

    parent_id: str = Field(max_length=64)
    """Project, or the organization for a limit over all of it."""
    scope: str = Field(max_length=16)
    """organization, project or key."""
    scope_id: str = Field(max_length=64, index=True)
    model: str | None = Field(default=None, max_length=127)
    """Served name; None for all together."""
    metric: str = Field(max_length=16)
    amount: int = Field(sa_type=BigInteger)
    window_seconds: int
    enforcement: str = Field(max_length=16)
