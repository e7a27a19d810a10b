"""What does signing in forget of an erased person? All but the id: name, address, account, sessions, and who it was.

The row stays, disabled, so that what points at it goes on to. The issuer's subject goes as well: if whoever it was
signs in again, that is a new person here.
"""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.erasure import erases
from mizzen_controlplane.sign_in import repository


@erases("sign_in")
async def forget(session: AsyncSession, person_id: str) -> int:
    """Blank the person and remove account and sessions; rows that held something."""
    person = await repository.find_person(session, person_id, lock=True)
    if person is None:
        return 0
    gone = len(await repository.end_sessions(session, person_id))
    account = await repository.account_of(session, person_id)
    if account is not None:
        await session.delete(account)
    was = (person.name, person.issuer)
    person.name, person.email, person.issuer, person.subject = "erased", "", "erased", person.id
    person.groups, person.labels, person.disabled, person.platform_admin = [], {}, True, False
    if was != (person.name, person.issuer):
        person.touch()
        gone += 1
    return gone + (account is not None)
