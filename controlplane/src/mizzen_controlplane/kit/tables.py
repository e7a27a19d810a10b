"""What every table of a resource has: id, name, times, revision (for the ETag) and labels; and the counters."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.columns import UtcDateTime


class ResourceRow(SQLModel):
    """Base of a resource's table; the subclass gives `table=True`, `__tablename__` and its unique constraints."""

    id: str = Field(primary_key=True, max_length=64)
    name: str = Field(max_length=253)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    revision: int = Field(default=1)
    labels: dict[str, str] = Field(default_factory=dict, sa_type=JSON)

    def touch(self) -> None:
        """Say that the row has changed: a new revision, so a new ETag."""
        self.revision += 1
        self.updated_at = utc_now()


class Counter(SQLModel, table=True):
    """A number that a writing transaction raises under a row lock, so that commits happen in its order."""

    __tablename__ = "counter"

    name: str = Field(primary_key=True, max_length=64)
    value: int = Field(default=0, sa_type=BigInteger)


class AccessChange(SQLModel, table=True):
    """What a version of access has changed: one row for each item, or one of kind `all`. A version without a row was
    made by a release that wrote none."""

    __tablename__ = "access_change"

    version: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(primary_key=True, max_length=16)
    """`key`; `all` for what only a whole snapshot tells."""
    item_id: str = Field(default="", primary_key=True, max_length=64)


class SchemaFloor(SQLModel, table=True):
    """The oldest release that can live with the schema, for those that do not know its newest migrations: one row."""

    __tablename__ = "schema_floor"

    id: int = Field(default=1, primary_key=True)
    revision: str = Field(max_length=32)
    """Newest migration that such a release knows."""
