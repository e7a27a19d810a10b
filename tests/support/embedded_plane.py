"""The inside of a control plane on SQLite, without its process: for rules that take the time as an argument."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mizzen_controlplane.identity.first_start import ensure_organization
from mizzen_controlplane.kit.database import open_database
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.secret_folder import SecretFolder
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.schema import upgrade


@asynccontextmanager
async def embedded_plane(folder: Path) -> AsyncIterator[Plane]:
    """A plane on a fresh database in the folder."""
    settings = Settings(f"sqlite+aiosqlite:///{folder / 'controlplane.db'}", folder, folder)
    database = open_database(settings.database_url)
    try:
        await upgrade(database)
        organization = await ensure_organization(database, settings)
        yield Plane(settings, SecretFolder(b"pepper", b"page", {}), database, organization.id, organization.currency)
    finally:
        await database.close()
