"""What the first start makes: the organization, and the project `default`."""

from mizzen_controlplane.identity.models import Organization, Project
from mizzen_controlplane.identity.repository import only_organization
from mizzen_controlplane.kit.changes import next_access_version
from mizzen_controlplane.kit.database import Database, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.settings import Settings


async def ensure_organization(database: Database, settings: Settings) -> Organization:
    """The organization of this installation; made, with its project `default`, where there is none yet."""
    async with unit_of_work(database) as session:
        # The counter's row is locked first, so that of two replicas that start at once only one makes it.
        await next_access_version(session)
        found = await only_organization(session)
        if found is not None:
            return found
        made = Organization(id=new_id("org"), name=settings.organization, currency=settings.currency)
        session.add(made)
        await session.flush()
        session.add(Project(id=new_id("prj"), name="default", namespace="default", organization_id=made.id))
        return made
