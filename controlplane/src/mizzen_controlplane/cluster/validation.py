"""Is a body an object of its kind? Held to the Pydantic model; every error is a sentence with a pointer."""

from typing import Any

from mizzen_crds.mistakes import mistakes
from mizzen_crds.rules import STORED
from mizzen_crds.serving import EndpointSetSpec
from mizzen_crds.v1alpha1.metadata import ObjectMeta
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime
from mizzen_crds.wire import Observed
from pydantic import BaseModel, ValidationError

from mizzen_controlplane.cluster.objects import API_VERSION, Document, ObjectKey
from mizzen_controlplane.kit.problem import FieldError, Invalid


class EndpointSet(Observed):
    """Endpoints of one deployment, as an object."""

    metadata: ObjectMeta
    """Identity and bookkeeping."""
    spec: EndpointSetSpec
    """Endpoints."""


_MODELS: dict[str, type[BaseModel]] = {
    "ModelDeployment": ModelDeployment,
    "ServingRuntime": ServingRuntime,
    "EndpointSet": EndpointSet,
}


def validated(key: ObjectKey, body: Document, before: Document | None = None) -> Document:
    """The body in camelCase with its metadata and exactly the fields of spec that were given; raises Invalid.

    Where the object stood there `before` and already broke a rule that is younger than it, that rule is passed over.
    """
    metadata: Any = body.get("metadata") or {}
    if isinstance(metadata, dict):
        metadata = {"name": key.name} | metadata
    document: Document = {"apiVersion": API_VERSION, "kind": key.kind} | body | {"metadata": metadata}
    try:
        parsed = _MODELS[key.kind].model_validate(document, context={STORED: _predates_a_rule(key, before)})
    except ValidationError as error:
        raise refusal(error, _MODELS[key.kind]) from error
    _same_name(key, document["metadata"])
    spec: Any = parsed.model_dump(mode="json", by_alias=True, exclude_unset=True, include={"spec"})["spec"]
    return document | {"spec": spec}


def _predates_a_rule(key: ObjectKey, before: Document | None) -> bool:
    if before is None:
        return False
    try:
        _MODELS[key.kind].model_validate({**before, "status": {}})
    except ValidationError:
        return True
    return False


def _same_name(key: ObjectKey, metadata: Document) -> None:
    if metadata["name"] != key.name:
        detail = f"metadata.name is {metadata['name']!r}, the path says {key.name!r}: make them the same"
        raise Invalid(detail, errors=[FieldError("/metadata/name", detail)])


def refusal(error: ValidationError, model: type[BaseModel]) -> Invalid:
    """The model's errors as a problem, a sentence for each."""
    found = mistakes(error, model)
    errors = [FieldError(mistake.pointer, mistake.message) for mistake in found]
    return Invalid("; ".join(str(mistake) for mistake in found[:5]), code="invalid_object", errors=errors)
