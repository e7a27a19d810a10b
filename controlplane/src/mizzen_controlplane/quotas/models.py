"""Table of quotas."""

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class ProjectQuota(SQLModel, table=True):
    """What a project may keep; None for no bound."""

    __tablename__ = "project_quota"

    project_id: str = Field(primary_key=True, max_length=64, foreign_key="project.id", ondelete="CASCADE")
    storage_bytes: int | None = Field(default=None, sa_type=BigInteger)
    """Of the files of its versions, each content once."""
    deployments: int | None = None
