"""May an alias move to this version? What the model asks of promotions, each unmet thing named."""

from collections.abc import Iterator

from mizzen_crds.registry import Signature
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.problem import Conflict, FieldError
from mizzen_controlplane.models.comparison import signature_differences
from mizzen_controlplane.models.models import Model, ModelAlias, ModelVersion
from mizzen_controlplane.models.records.repository import newest_evaluations
from mizzen_controlplane.models.repository import find_version
from mizzen_controlplane.models.schemas import EvaluationGate, Promotion

MOST_NAMED = 100


async def require_promotion(
    session: AsyncSession, model: Model, alias: ModelAlias | None, version: ModelVersion
) -> None:
    """Raise Conflict naming everything that the model asks and the version is not."""
    if model.promotion is None or (alias is not None and alias.number == version.number):
        return
    asked = Promotion.model_validate(model.promotion)
    unmet: list[FieldError] = []
    if asked.require is not None and alias is not None:
        now = await find_version(session, model.id, alias.number)
        unmet += _breaking(now, version) if now is not None else []
    if asked.evaluation is not None:
        unmet += _evaluation(asked.evaluation, await _value(session, version, asked.evaluation.metric))
    if unmet:
        said = "; ".join(error.detail for error in unmet[:3])
        raise Conflict(
            f"Version {version.number} does not meet what the model {model.name!r} asks of promotions: {said}. Mend it "
            "and push again, or post the result; or force the move with a reason, by whoever has aliases:force.",
            code="promotion_refused",
            errors=unmet[:MOST_NAMED],
        )


def _breaking(now: ModelVersion, version: ModelVersion) -> Iterator[FieldError]:
    before, after = (Signature.model_validate(one.signature) for one in (now, version))
    for difference in signature_differences(before, after):
        if difference.breaking:
            yield FieldError(difference.field, f"{difference.detail} (version {now.number} is what callers know)")


async def _value(session: AsyncSession, version: ModelVersion, metric: str) -> float | None:
    found = (await newest_evaluations(session, version.id)).get(metric)
    return found.value if found is not None else None


def _evaluation(gate: EvaluationGate, value: float | None) -> Iterator[FieldError]:
    field = f"evaluations.{gate.metric}"
    if value is None:
        yield FieldError(field, f"no result of {gate.metric!r} was posted to it")
    elif gate.min is not None and value < gate.min:
        yield FieldError(field, f"{gate.metric} is {value:g}, and {gate.min:g} is the least")
    elif gate.max is not None and value > gate.max:
        yield FieldError(field, f"{gate.metric} is {value:g}, and {gate.max:g} is the most")
