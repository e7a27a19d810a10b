"""SQL of what is written about models and versions."""

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.models.models import Model, ModelVersion
from mizzen_controlplane.models.records.models import Card, Evaluation


async def find_card(session: AsyncSession, subject_id: str, *, lock: bool = False) -> Card | None:
    """The card of a model or version; `lock` holds its row until the transaction ends."""
    statement = select(Card).where(Card.subject_id == subject_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


def evaluations_of(version_id: str) -> SelectOfScalar[Evaluation]:
    """All results of a version, for a page."""
    return select(Evaluation).where(Evaluation.version_id == version_id)


async def newest_evaluations(session: AsyncSession, version_id: str) -> dict[str, Evaluation]:
    """The result that counts of each metric of a version."""
    ordered = evaluations_of(version_id).order_by(col(Evaluation.created_at), col(Evaluation.id))
    return {row.name: row for row in (await session.exec(ordered)).all()}


async def version_and_model(session: AsyncSession, version_id: str) -> tuple[ModelVersion, Model] | None:
    """A version by id, with its model."""
    statement = select(ModelVersion, Model).join(Model, col(Model.id) == col(ModelVersion.model_id))
    return (await session.exec(statement.where(ModelVersion.id == version_id))).one_or_none()


async def children_of(session: AsyncSession, version_id: str, at_most: int) -> Sequence[tuple[ModelVersion, Model]]:
    """The newest versions whose parent this one is, with their models."""
    statement = select(ModelVersion, Model).join(Model, col(Model.id) == col(ModelVersion.model_id))
    mine = statement.where(ModelVersion.parent_id == version_id)
    return (await session.exec(mine.order_by(col(ModelVersion.id).desc()).limit(at_most))).all()
