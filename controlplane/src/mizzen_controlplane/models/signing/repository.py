"""SQL of trusted keys, of signatures, and of versions that are in use."""

from collections.abc import Collection, Sequence

from sqlalchemy import func
from sqlmodel import col, or_, select, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.models.models import Model, ModelAlias, ModelVersion
from mizzen_controlplane.models.signing.models import SigningKey, VersionSignature

_AT_ONCE = 300


def keys_of(project_id: str) -> SelectOfScalar[SigningKey]:
    """All keys of a project, for a page."""
    return select(SigningKey).where(SigningKey.project_id == project_id)


async def trusted_keys(session: AsyncSession, project_id: str) -> Sequence[SigningKey]:
    """Keys of a project that are not revoked."""
    return (await session.exec(keys_of(project_id).where(col(SigningKey.revoked_at).is_(None)))).all()


async def count_trusted(session: AsyncSession, project_id: str) -> int:
    """How many keys of a project are not revoked."""
    statement = select(func.count()).select_from(SigningKey).where(SigningKey.project_id == project_id)
    return (await session.exec(statement.where(col(SigningKey.revoked_at).is_(None)))).one()


async def find_key(session: AsyncSession, project_id: str, ref: str, *, lock: bool = False) -> SigningKey | None:
    """A key by id or name, revoked or not."""
    statement = keys_of(project_id).where(or_(SigningKey.id == ref, SigningKey.name == ref))
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def key_with(session: AsyncSession, project_id: str, fingerprint: str) -> SigningKey | None:
    """The key of a fingerprint, revoked or not."""
    return (await session.exec(keys_of(project_id).where(SigningKey.fingerprint == fingerprint))).one_or_none()


async def keys_by_id(session: AsyncSession, ids: Collection[str]) -> dict[str, SigningKey]:
    """Keys by their ids."""
    found = await session.exec(select(SigningKey).where(col(SigningKey.id).in_(sorted(ids))))
    return {key.id: key for key in found.all()}


def signatures_of(version_id: str) -> SelectOfScalar[VersionSignature]:
    """All signatures of a version, for a page."""
    return select(VersionSignature).where(VersionSignature.version_id == version_id)


async def find_signature(session: AsyncSession, version_id: str, key_id: str) -> VersionSignature | None:
    """The signature that a key made of a version."""
    return (await session.exec(signatures_of(version_id).where(VersionSignature.key_id == key_id))).one_or_none()


async def is_signed(session: AsyncSession, version_id: str) -> bool:
    """Whether a key that is not revoked has signed the version."""
    statement = (
        select(VersionSignature.id)
        .join(SigningKey, col(SigningKey.id) == col(VersionSignature.key_id))
        .where(VersionSignature.version_id == version_id, col(SigningKey.revoked_at).is_(None))
    )
    return (await session.exec(statement.limit(1))).first() is not None


async def aliases_in(session: AsyncSession, project_id: str) -> Sequence[tuple[str, str, int]]:
    """Model, alias and number of the version, of every alias of a project."""
    statement = (
        select(Model.name, ModelAlias.name, ModelAlias.number)
        .join(Model, col(Model.id) == col(ModelAlias.model_id))
        .where(Model.project_id == project_id)
        .order_by(col(Model.name), col(ModelAlias.name))
    )
    return (await session.exec(statement)).all()


async def signers(
    session: AsyncSession, project_id: str, versions: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], dict[str, bool]]:
    """Of these versions (model and number) that there are: id of each key that signed it -> whether it is trusted."""
    found: dict[tuple[str, int], dict[str, bool]] = {}
    for start in range(0, len(versions), _AT_ONCE):
        statement = (
            select(Model.name, ModelVersion.number, SigningKey.id, SigningKey.revoked_at)
            .join(ModelVersion, col(ModelVersion.model_id) == col(Model.id))
            .outerjoin(VersionSignature, col(VersionSignature.version_id) == col(ModelVersion.id))
            .outerjoin(SigningKey, col(SigningKey.id) == col(VersionSignature.key_id))
            .where(Model.project_id == project_id)
            .where(tuple_(col(Model.name), col(ModelVersion.number)).in_(versions[start : start + _AT_ONCE]))
        )
        for model, number, key_id, revoked_at in (await session.exec(statement)).all():
            made = found.setdefault((model, number), {})
            if key_id is not None:
                made[key_id] = revoked_at is None
    return found
