"""One table of objects and expected sentences: on the Pydantic models, and on the definitions' schema and CEL."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from mizzen_crds.mistakes import mistakes
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rules import CHANGE_RULES, ROOT_RULES, SPEC_RULES, forbidden_changes
from pydantic import ValidationError
from support.definitions import defaulted, definition, merged, refusals, schema_of

TABLE = yaml.safe_load((Path(__file__).parent / "refusals.yaml").read_text())
BASE, CASES, RIGHT = TABLE["base"], TABLE["cases"], TABLE["right"]


def _by_name(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def _objects(case: dict[str, Any]) -> tuple[Any, Any]:
    before = merged(BASE, case["before"]) if "before" in case else None
    return before, merged(BASE, case["with"])


def _model_says(before: Any, written: Any) -> list[str]:
    try:
        model = ModelDeployment.model_validate(written)
    except ValidationError as error:
        return [str(mistake) for mistake in mistakes(error, ModelDeployment)]
    return [str(m) for m in forbidden_changes(ModelDeployment.model_validate(before), model)] if before else []


def _server_says(before: Any, written: Any) -> list[str]:
    schema = schema_of(definition("modeldeployments"))
    without_metadata = {**schema, "properties": {**schema["properties"], "metadata": {}}}
    old = defaulted(schema, before) if before else None
    return refusals(without_metadata, defaulted(schema, written), old)


@_by_name(CASES)
def test_the_models_refuse_with_a_sentence_that_names_the_field(case: dict[str, Any]) -> None:
    said = _model_says(*_objects(case))
    assert any(line.startswith(case["path"] + ": ") and case["says"] in line for line in said), said


@_by_name([case for case in CASES if case["by"] == "schema"])
def test_the_schema_refuses_what_the_models_refuse(case: dict[str, Any]) -> None:
    assert _server_says(*_objects(case))


@_by_name([case for case in CASES if case["by"] != "schema"])
def test_the_definitions_rules_refuse_with_the_same_sentence(case: dict[str, Any]) -> None:
    said = _server_says(*_objects(case))
    assert any(line.startswith(case["path"] + ": ") and case["says"] in line for line in said), said


@_by_name(RIGHT)
def test_what_is_right_is_taken_by_both(case: dict[str, Any]) -> None:
    before, written = _objects(case)
    assert _model_says(before, written) == []
    assert _server_says(before, written) == []


@pytest.mark.parametrize("rule", [*ROOT_RULES, *SPEC_RULES, *CHANGE_RULES], ids=lambda rule: f"{rule.at}.{rule.field}")
def test_every_rule_has_a_case(rule: Any) -> None:
    assert any(case["says"] in rule.message for case in CASES)
