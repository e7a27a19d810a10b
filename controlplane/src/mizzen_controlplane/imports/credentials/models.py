"""Table of credentials for imports."""

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from mizzen_controlplane.kit.columns import SealedBytes
from mizzen_controlplane.kit.tables import ResourceRow


class ImportCredential(ResourceRow, table=True):
    """What a project shows to one host."""

    __tablename__ = "import_credential"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    project_id: str = Field(max_length=64, foreign_key="project.id")
    host: str = Field(max_length=300)
    """As `place_of` writes it; never changed, as whoever changes it would be sent the secret."""
    kind: str = Field(max_length=16)
    sealed: bytes = Field(sa_type=SealedBytes, repr=False)
    """JSON of username and secret, for the purpose PURPOSE."""
