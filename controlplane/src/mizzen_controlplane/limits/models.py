"""Tables of rate limits, and of what became of the limits and budgets that Project objects declare."""

from typing import Final

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.tables import ResourceRow

DECLARED: Final = "Project"
"""Owner of a limit or a budget that a Project object of the cluster declares; empty: the API's."""


class Limit(ResourceRow, table=True):
    """A limit: `amount` of what `metric` says in each window, or at once."""

    __tablename__ = "limit_rule"
    __table_args__ = (UniqueConstraint("parent_id", "name"),)

    parent_id: str = Field(max_length=64)
    """Project, or the organization for a limit over all of it."""
    scope: str = Field(max_length=16)
    """organization, project, key, user or model."""
    scope_id: str = Field(max_length=64, index=True)
    """Of scope model: of the project that has it."""
    model: str | None = Field(default=None, max_length=127)
    """Served name; None for all together."""
    metric: str = Field(max_length=16)
    amount: int = Field(sa_type=BigInteger)
    """Of metric cost: in pico."""
    window_seconds: int
    """0 for concurrency."""
    enforcement: str = Field(max_length=16)
    owner: str = Field(default="", max_length=16, sa_column_kwargs={"server_default": ""})
    """`DECLARED`, or empty. The server's default is for the release before, which knows no owners."""
    on_store_loss: str = Field(default="refuse", max_length=16, sa_column_kwargs={"server_default": "refuse"})


class ProjectDeclaration(SQLModel, table=True):
    """The last generation of a Project object whose limits and budgets were looked at. Gone with the object."""

    __tablename__ = "project_declaration"

    project_id: str = Field(primary_key=True, max_length=64, foreign_key="project.id", ondelete="CASCADE")
    uid: str = Field(max_length=64)
    generation: int = Field(sa_type=BigInteger)
    state: str = Field(max_length=32)
    """in_force, refused or managed_through_api."""
    message: str
    """Of a refusal: the entry and why."""
    made_here: bool | None = None
    """Whether the object follows the API, not the API the object; None where an earlier release looked at it."""
