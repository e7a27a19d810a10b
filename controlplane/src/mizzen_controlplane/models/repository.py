"""SQL of the registry."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.models.models import Model, ModelAlias, ModelVersion, VersionFile
from mizzen_controlplane.models.schemas import VersionState


async def find_model(session: AsyncSession, project_id: str, id_or_name: str, *, lock: bool = False) -> Model | None:
    """A model by id or name; `lock` holds its row until the transaction ends."""
    statement = select(Model).where(
        Model.project_id == project_id, or_(Model.id == id_or_name, Model.name == id_or_name)
    )
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


def models_of(project_id: str) -> SelectOfScalar[Model]:
    """All models of a project, for a page."""
    return select(Model).where(Model.project_id == project_id)


async def find_version(session: AsyncSession, model_id: str, number: int, *, lock: bool = False) -> ModelVersion | None:
    """A version by number."""
    statement = select(ModelVersion).where(ModelVersion.model_id == model_id, ModelVersion.number == number)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def version_by_id(session: AsyncSession, version_id: str, *, lock: bool = False) -> ModelVersion | None:
    """A version by id."""
    statement = select(ModelVersion).where(ModelVersion.id == version_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


def versions_of(model_id: str) -> SelectOfScalar[ModelVersion]:
    """All versions of a model, for a page."""
    return select(ModelVersion).where(ModelVersion.model_id == model_id)


async def files_of(session: AsyncSession, version_id: str) -> Sequence[VersionFile]:
    """A version's files, by path."""
    statement = select(VersionFile).where(VersionFile.version_id == version_id).order_by(col(VersionFile.path))
    return (await session.exec(statement)).all()


async def find_file(session: AsyncSession, version_id: str, path: str, *, lock: bool = False) -> VersionFile | None:
    """One file of a version."""
    statement = select(VersionFile).where(VersionFile.version_id == version_id, VersionFile.path == path)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def contents_known(session: AsyncSession, project_id: str, digests: Sequence[str]) -> set[str]:
    """Those of `digests` whose content this very project has uploaded.

    Another project's content is never told of: a digest alone must not open what someone else has. The versions
    that lend content are held until the transaction ends, so that none of them fails, and drops it, meanwhile.
    """
    known: set[str] = set()
    for start in range(0, len(digests), 500):
        statement = (
            select(VersionFile.sha256)
            .join(ModelVersion, col(ModelVersion.id) == col(VersionFile.version_id))
            .where(
                ModelVersion.project_id == project_id,
                col(VersionFile.received).is_(True),
                ModelVersion.state != VersionState.FAILED,
                col(VersionFile.sha256).in_(digests[start : start + 500]),
            )
            .with_for_update(read=True, of=ModelVersion)
        )
        known.update((await session.exec(statement)).all())
    return known


def keeps_content() -> ColumnElement[bool]:
    """Of a version: not FAILED for good."""
    return or_(ModelVersion.state != VersionState.FAILED, col(ModelVersion.damaged_at).is_not(None))


async def versions_with(session: AsyncSession, digests: Sequence[str]) -> Sequence[tuple[ModelVersion, str]]:
    """Versions of any project that could be served and have content of `digests`, locked, each with a file's path."""
    statement = (
        select(ModelVersion, VersionFile.path)
        .join(VersionFile, col(ModelVersion.id) == col(VersionFile.version_id))
        .where(
            col(VersionFile.sha256).in_(digests),
            col(ModelVersion.state).not_in((VersionState.PENDING, VersionState.FAILED)),
        )
        .order_by(col(ModelVersion.id), col(VersionFile.path))
        .with_for_update(of=ModelVersion)
    )
    return (await session.exec(statement)).all()


async def contents_in_use(session: AsyncSession, digests: Sequence[str]) -> set[str]:
    """Those of `digests` that any version that has not FAILED for good is made of, uploaded yet or not."""
    used: set[str] = set()
    for start in range(0, len(digests), 500):
        statement = (
            select(VersionFile.sha256)
            .join(ModelVersion, col(ModelVersion.id) == col(VersionFile.version_id))
            .where(keeps_content(), col(VersionFile.sha256).in_(digests[start : start + 500]))
        )
        used.update((await session.exec(statement)).all())
    return used


async def aliases_by_number(session: AsyncSession, model_id: str) -> dict[int, list[str]]:
    """Names of a model's aliases by the version that they point at."""
    statement = select(ModelAlias).where(ModelAlias.model_id == model_id).order_by(col(ModelAlias.name))
    found: dict[int, list[str]] = {}
    for alias in (await session.exec(statement)).all():
        found.setdefault(alias.number, []).append(alias.name)
    return found


async def find_alias(session: AsyncSession, model_id: str, name: str, *, lock: bool = False) -> ModelAlias | None:
    """An alias by name."""
    statement = select(ModelAlias).where(ModelAlias.model_id == model_id, ModelAlias.name == name)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


def aliases_of(model_id: str) -> SelectOfScalar[ModelAlias]:
    """All aliases of a model, for a page."""
    return select(ModelAlias).where(ModelAlias.model_id == model_id)
