"""Who keeps files and batches? A project, by one of its keys; the gateway has checked it, and it is looked at again."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.batches import repository
from mizzen_controlplane.identity.models import ApiKey
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.problem import Unauthorized


async def caller_or_401(session: AsyncSession, project_id: str, key_id: str) -> ApiKey:
    """The key; raises Unauthorized where it is not the project's, or opens nothing any more."""
    key = await repository.find_key(session, project_id, key_id)
    if key is None or not opens(key):
        raise Unauthorized("The API key is not valid any more.", code="invalid_api_key")
    return key


def opens(key: ApiKey) -> bool:
    """Neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > utc_now())
