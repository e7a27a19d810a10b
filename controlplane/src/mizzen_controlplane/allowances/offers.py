"""May the model be called at all? The key, the grant in the database and the deployment's offer must all allow it."""

from collections.abc import Iterable
from typing import Any

from mizzen_crds.access import AccessSnapshot
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.allowances.schemas import Access
from mizzen_controlplane.cluster.stores import store_of
from mizzen_controlplane.identity.models import ApiKey, Project
from mizzen_controlplane.identity.repository import find_project
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.plane import Plane


async def access_to(
    session: AsyncSession, plane: Plane, snapshot: AccessSnapshot, project: Project, key: ApiKey | None, model: str
) -> Access:
    """What each of them says."""
    by_key, lacking = _by_key(key, model)
    owner_name, slash, name = model.partition("/")
    if not slash or owner_name == project.name:
        return Access(allowed=not lacking, key=by_key, grant=None, offer=None, reason=lacking)
    granted = any(one.project_id == project.id and one.model == model for one in snapshot.grants)
    owner = await find_project(session, plane.organization_id, owner_name)
    offered = False
    if owner is not None:
        found = await store_of(plane, session).list_objects("ModelDeployment", owner.namespace)
        offered = offers(found.items, name, project.name)
    reasons = [lacking] if lacking else []
    if not granted:
        reasons.append(f"The database does not grant it: mizzen grants create {model} --project {project.name}.")
    if not offered:
        reasons.append(
            f"No deployment of {owner_name} offers it: its owner sets spec.access (visibility Shared, and "
            f"{project.name} in allowedProjects)."
        )
    return Access(allowed=not reasons, key=by_key, grant=granted, offer=offered, reason=" ".join(reasons))


def offers(documents: Iterable[dict[str, Any]], name: str, project: str) -> bool:
    """Whether one of these ModelDeployments serves the name and offers it to the project."""
    for document in documents:
        spec = document.get("spec", {})
        access = spec.get("access", {})
        adapters = [one.get("name") for one in spec.get("adapters", [])]
        names = [spec.get("servedModelName") or document["metadata"]["name"], *spec.get("aliases", []), *adapters]
        shared = access.get("visibility") == "Shared" and project in access.get("allowedProjects", [])
        if name in names and shared:
            return True
    return False


def _by_key(key: ApiKey | None, model: str) -> tuple[bool | None, str]:
    if key is None:
        return None, ""
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= utc_now()):
        return False, f"Key {key.name} is revoked or has expired: make another one."
    if key.models is not None and key.routes is None and model not in key.models:
        return False, f"Key {key.name} may not call it: mizzen keys update {key.name} --model {model}."
    return True, ""
