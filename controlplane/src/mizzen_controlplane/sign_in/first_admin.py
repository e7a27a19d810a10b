"""Who signs in first? The local account `admin`, made where none is, with the one-time password of the secrets."""

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import Trace, record_trace
from mizzen_controlplane.authorization.decision import Effect
from mizzen_controlplane.authorization.models import RoleBinding
from mizzen_controlplane.authorization.roles import BUILT_IN
from mizzen_controlplane.identity.models import Organization
from mizzen_controlplane.kit.changes import next_access_version
from mizzen_controlplane.kit.database import Database, reading, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.settings import Settings, SettingsError
from mizzen_controlplane.sign_in.models import LOCAL, LocalAccount, Person
from mizzen_controlplane.sign_in.passwords import SHORTEST, hashed
from mizzen_controlplane.sign_in.repository import any_account

log = structlog.get_logger(__name__)
USERNAME = "admin"
PASSWORD_FILE = "admin-password"  # noqa: S105 - a file's name


async def ensure_local_admin(settings: Settings, database: Database, organization: Organization) -> None:
    """Make the local administrator, a platform-admin, where there is no local account yet and the file of secrets is.

    Raises SettingsError for a password that is too short.
    """
    path = settings.secrets_dir / PASSWORD_FILE
    async with reading(database) as session:
        if await any_account(session):
            return
    if not path.exists():
        log.info("no local administrator is made", missing=str(path))
        return
    password = path.read_text().strip()
    if len(password) < SHORTEST:
        raise SettingsError(f"{path} holds fewer than {SHORTEST} characters. Write a longer one-time password to it.")
    password_hash = await hashed(password)
    async with unit_of_work(database) as session:
        # Its row is locked first, so that of two replicas that start at once only one makes it.
        await next_access_version(session)
        if await any_account(session):
            return
        person = Person(id=new_id("per"), name="Administrator", issuer=LOCAL, subject=USERNAME, platform_admin=True)
        session.add(person)
        await session.flush()
        session.add(LocalAccount(person_id=person.id, username=USERNAME, password_hash=password_hash, one_time=True))
        record_trace(session, Trace("first-start", "persons.create", person.id, person.name, after=person.model_dump()))
        _bind(session, organization, person)


def _bind(session: AsyncSession, organization: Organization, person: Person) -> None:
    made = new_id("rbd")
    binding = RoleBinding(
        id=made, name=made, organization_id=organization.id, principal=f"person:{person.id}",
        role=BUILT_IN["platform-admin"].name, effect=Effect.ALLOW, created_by="first-start",
    )  # fmt: skip
    session.add(binding)
    record_trace(session, Trace("first-start", "bindings.create", made, made, after=binding.model_dump()))
