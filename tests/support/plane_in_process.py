"""A control plane's innards inside the test itself, on a database that is upgraded: for what no route starts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mizzen_controlplane.identity.first_start import ensure_organization
from mizzen_controlplane.kit.database import open_database
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.secret_folder import read_secrets
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.models.content.opening import open_content
from mizzen_controlplane.schema import upgrade
from support.controlplane import ControlPlane


@asynccontextmanager
async def plane_of_process(beside: ControlPlane) -> AsyncIterator[Plane]:
    """What a replica would work with, on the database and folders of `beside`, which need not run."""
    settings = Settings(beside.database_url, beside.data_dir, beside.secrets_dir)
    database = open_database(beside.database_url)
    try:
        await upgrade(database)
        organization = await ensure_organization(database, settings)
        secrets = read_secrets(beside.secrets_dir)
        yield Plane(settings, secrets, database, organization.id, organization.currency, open_content(settings))
    finally:
        await database.close()
