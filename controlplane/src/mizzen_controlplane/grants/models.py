"""Table of grants."""

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from mizzen_controlplane.kit.tables import ResourceRow


class Grant(ResourceRow, table=True):
    """A project may call a model of another project, as long as that one offers it. Its name is the model's."""

    __tablename__ = "model_grant"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    project_id: str = Field(max_length=64, foreign_key="project.id")
    """Project that may call it."""
    owner_id: str = Field(max_length=64, foreign_key="project.id")
    """Project whose model it is."""
