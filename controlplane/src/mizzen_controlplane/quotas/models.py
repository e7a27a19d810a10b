"""Table of quotas."""

from sqlalchemy import JSON, BigInteger
from sqlmodel import Field, SQLModel


class ProjectQuota(SQLModel, table=True):
    """What a project may keep and hold; None for no bound."""

    __tablename__ = "project_quota"

    project_id: str = Field(primary_key=True, max_length=64, foreign_key="project.id", ondelete="CASCADE")
    storage_bytes: int | None = Field(default=None, sa_type=BigInteger)
    """Of the files of its versions, each content once."""
    deployments: int | None = None
    accelerators: dict[str, int] | None = Field(default=None, sa_type=JSON)
    """By AcceleratorClass; with any, classes that are not named may not be used. Never empty."""
    owner: str = Field(default="", max_length=16, sa_column_kwargs={"server_default": ""})
    """DECLARED of limits, or empty for the API. The server's default is for the release before, without owners."""
