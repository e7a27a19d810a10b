"""Which versions of a project are in use, and which of them would nothing vouch for?"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.cluster.stores import store_of
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.models.signing.repository import aliases_in, signers
from mizzen_controlplane.models.signing.schemas import VersionInUse

Named = dict[tuple[str, int], VersionInUse]


async def unsigned_in_use(session: AsyncSession, plane: Plane, project: Project) -> list[VersionInUse]:
    """Versions in use that no trusted key has signed."""
    return await _picked(session, plane, project, None)


async def leaning_on(session: AsyncSession, plane: Plane, project: Project, key_id: str) -> list[VersionInUse]:
    """Versions in use that the key has signed, and no other trusted one."""
    return await _picked(session, plane, project, key_id)


async def _picked(session: AsyncSession, plane: Plane, project: Project, key_id: str | None) -> list[VersionInUse]:
    aliases = {(model, alias): number for model, alias, number in await aliases_in(session, project.id)}
    deployments = (await store_of(plane, session).list_objects("ModelDeployment", project.namespace)).items
    used = named(aliases, {one["metadata"]["name"]: one["spec"] for one in deployments})
    made = await signers(session, project.id, sorted(used))
    return [used[version] for version in sorted(made) if unvouched(made[version], key_id)]


def unvouched(made: Mapping[str, bool], key_id: str | None) -> bool:
    """Whether no trusted key but `key_id` signed what that one did sign. `made`: key -> whether it is trusted."""
    if key_id is not None and key_id not in made:
        return False
    return not any(trusted for signer, trusted in made.items() if signer != key_id)


def named(aliases: Mapping[tuple[str, str], int], specs: Mapping[str, Mapping[str, Any]]) -> Named:
    """What aliases, (model, alias) -> number, and the specs of deployments, by name, name."""
    used: Named = {}
    for (model, alias), number in aliases.items():
        _entry(used, model, number).aliases.append(alias)
    for deployment, spec in sorted(specs.items()):
        for reference in _references(spec):
            model = str(reference.get("model"))
            version = reference.get("version") or aliases.get((model, str(reference.get("alias"))))
            entry = _entry(used, model, int(version)) if version is not None else None
            if entry is not None and deployment not in entry.deployments:
                entry.deployments.append(deployment)
    return used


def _entry(used: Named, model: str, number: int) -> VersionInUse:
    return used.setdefault((model, number), VersionInUse(model=model, version=number, aliases=[], deployments=[]))


def _references(value: Any) -> Iterator[Mapping[str, Any]]:
    """Each versionRef in a spec, of the model, of adapters and wherever else."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "versionRef" and isinstance(inner, Mapping):
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
