"""Tables of what is written about models and versions."""

from sqlalchemy import Text, UniqueConstraint
from sqlmodel import Field

from mizzen_controlplane.kit.tables import ResourceRow


class Card(ResourceRow, table=True):
    """The Markdown text about a model or a version; its name is that of what it is about."""

    __tablename__ = "model_card"
    __table_args__ = (UniqueConstraint("subject_id"),)

    project_id: str = Field(foreign_key="project.id", max_length=64)
    subject_id: str = Field(max_length=64)
    """Id of the model or version."""
    text: str = Field(sa_type=Text)


class Evaluation(ResourceRow, table=True):
    """One result of an evaluation of a version; its name is the metric's. The newest of a metric counts."""

    __tablename__ = "evaluation"

    project_id: str = Field(foreign_key="project.id", max_length=64)
    version_id: str = Field(foreign_key="model_version.id", max_length=64, index=True)
    value: float
    unit: str = Field(default="", max_length=32)
    dataset: str = Field(default="", max_length=253)
    created_by: str = Field(default="", max_length=128)
