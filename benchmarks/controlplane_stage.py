"""What does a topic of the control plane's benchmark work with? A database of its own, and control planes on it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mizzen_controlplane.kit.database import open_database
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.secret_folder import read_secrets
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.models.content.opening import open_content
from support.controlplane import ControlPlane
from support.postgres import Postgres


@dataclass(frozen=True)
class Stage:
    """One kind of database."""

    kind: str
    """SQLite or PostgreSQL."""
    server: Postgres
    folder: Path
    rounds: int
    quick: bool
    """Sizes are to be small: somebody tries whether it runs."""
    seed: int

    def named(self, what: str) -> str:
        """Name of a row."""
        return f"{what}, {self.kind}"

    @contextmanager
    def control_plane(self) -> Iterator[ControlPlane]:
        """A running process on a fresh database."""
        url = f"sqlite+aiosqlite:///{self.folder / 'db'}" if self.kind == "SQLite" else self.server.new_database()
        plane = ControlPlane(self.folder / "plane", url).start()
        try:
            yield plane
        finally:
            plane.stop()

    @asynccontextmanager
    async def inside(self, process: ControlPlane, organization_id: str, currency: str = "EUR") -> AsyncIterator[Plane]:
        """The same database from within this process, to measure functions without HTTP."""
        database = open_database(process.database_url)
        settings = Settings(process.database_url, process.data_dir, process.secrets_dir)
        try:
            content = open_content(settings)
            yield Plane(settings, read_secrets(process.secrets_dir), database, organization_id, currency, content)
        finally:
            await database.close()
