"""Does the OpenAPI document show a body for every operation that takes one, and does the operation take it?"""

import json
from pathlib import Path
from typing import Any

import pytest
from mizzen_controlplane.domains import DOMAINS
from mizzen_controlplane.kit.routing import GuardedRoute
from mizzen_controlplane.models.schemas import AliasForce, AliasPut
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from pydantic import TypeAdapter, ValidationError
from support.request_examples import example_of

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[3] / "docs/reference/openapi.json").read_text())
TAKING = [
    pytest.param(route, method, id=f"{method} {route.path}")
    for domain in DOMAINS
    for route in domain.router.routes
    if isinstance(route, GuardedRoute) and route.dependant.body_params and not route.path.startswith("/internal/")
    for method in sorted(route.methods or ())
]


@pytest.mark.parametrize(("route", "method"), TAKING)
def test_the_example_of_a_body_is_one_that_its_model_takes(route: GuardedRoute, method: str) -> None:
    shown = example_of(DOCUMENT, method, route.path.replace(":path}", "}"))
    (body,) = route.dependant.body_params
    adapter: TypeAdapter[Any] = TypeAdapter(body.field_info.annotation)
    assert adapter.validate_python(json.loads(json.dumps(shown))) is not None
    if method == "PUT" and shown.get("kind") == "ModelDeployment":
        assert ModelDeployment.model_validate(shown).spec.replicas == 2


@pytest.mark.parametrize("body", [AliasPut, AliasForce])
def test_an_alias_takes_no_number_that_a_database_cannot_hold(body: type[AliasPut | AliasForce]) -> None:
    with pytest.raises(ValidationError, match="less than or equal to 2147483647"):
        body.model_validate(
            {"version": 2**71, "reason": "beyond 64 bits"} if body is AliasForce else {"version": 2**71}
        )
