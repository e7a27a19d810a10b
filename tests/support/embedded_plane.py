"""The inside of a control plane on SQLite, without its process: for rules that take the time as an argument."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mizzen_controlplane.identity.first_start import ensure_organization
from mizzen_controlplane.kit.database import open_database
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.secret_folder import SecretFolder
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.models.content.opening import open_content
from mizzen_controlplane.schema import upgrade


@asynccontextmanager
async def embedded_plane(
    folder: Path, *, content_keys: tuple[bytes, ...] = (), **settings_of: Any
) -> AsyncIterator[Plane]:
    """A plane on a fresh database in the folder; keywords are fields of its settings."""
    settings = replace(Settings(f"sqlite+aiosqlite:///{folder / 'controlplane.db'}", folder, folder), **settings_of)
    database = open_database(settings.database_url)
    try:
        await upgrade(database)
        organization = await ensure_organization(database, settings)
        secrets = SecretFolder(b"pepper", b"page", {}, content_keys)
        yield Plane(settings, secrets, database, organization.id, organization.currency, open_content(settings))
    finally:
        await database.close()
