"""May a version be used without a signature? Not where the project's policy requires one."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.problem import Conflict
from mizzen_controlplane.models.models import ModelVersion
from mizzen_controlplane.models.scanning.repository import find_policy
from mizzen_controlplane.models.signing.repository import is_signed


async def require_signed(session: AsyncSession, named: str, version: ModelVersion) -> None:
    """Raise Conflict where the policy requires a signature, and no key that is trusted now has signed the version."""
    policy = await find_policy(session, version.project_id)
    if policy is not None and policy.require_signature and not await is_signed(session, version.id):
        raise Conflict(
            f"{named} has no signature by a key that its project trusts, and the project's policy requires one "
            "(require_signature), so nothing serves it. Sign it with a trusted key and post the signature; or have "
            "the policy changed, by whoever has model-policies:write.",
            code="version_unsigned",
        )
