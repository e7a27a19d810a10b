"""One table of objects and expected sentences: on the Pydantic models, and on the definitions' schema and CEL."""

from typing import Any

import pytest
from crdgen.definition import Kind
from crdgen.kinds import KINDS
from mizzen_crds.mistakes import mistakes
from pydantic import ValidationError
from support.definitions import defaulted, definition, refusals, schema_of
from support.refusal_tables import FORBIDDEN_CHANGES, Case, cases

WRONG, RIGHT = cases("cases"), cases("right")


def _each(listed: list[Case]) -> Any:
    return pytest.mark.parametrize("case", listed, ids=str)


def _model_says(case: Case) -> list[str]:
    model = case.kind.model
    try:
        written = model.model_validate(case.written)
    except ValidationError as error:
        return [str(mistake) for mistake in mistakes(error, model)]
    forbidden = FORBIDDEN_CHANGES.get(case.kind.name)
    if case.before is None or forbidden is None:
        return []
    return [str(mistake) for mistake in forbidden(model.model_validate(case.before), written)]


def _server_says(case: Case) -> list[str]:
    schema = schema_of(definition(case.kind.plural))
    without_metadata = {**schema, "properties": {**schema["properties"], "metadata": {}}}
    old = defaulted(schema, case.before) if case.before else None
    return refusals(without_metadata, defaulted(schema, case.written), old)


def _named(case: Case, said: list[str]) -> bool:
    return any(line.startswith(case.path + ": ") and case.says in line for line in said)


@_each(WRONG)
def test_the_models_refuse_with_a_sentence_that_names_the_field(case: Case) -> None:
    said = _model_says(case)
    assert _named(case, said), said


@_each([case for case in WRONG if case.by == "schema"])
def test_the_schema_refuses_what_the_models_refuse(case: Case) -> None:
    assert _server_says(case)


@_each([case for case in WRONG if case.by != "schema"])
def test_the_definitions_rules_refuse_with_the_same_sentence(case: Case) -> None:
    said = _server_says(case)
    assert _named(case, said), said


@_each(RIGHT)
def test_what_is_right_is_taken_by_both(case: Case) -> None:
    assert _model_says(case) == []
    assert _server_says(case) == []


@pytest.mark.parametrize(
    ("kind", "rule"),
    [(kind, rule) for kind in KINDS for rule in kind.rules],
    ids=lambda value: value.name if isinstance(value, Kind) else f"{value.at}.{value.field}",
)
def test_every_rule_has_a_case(kind: Kind, rule: Any) -> None:
    at = rule.at.replace(".[]", "")
    written = [case for case in WRONG if case.kind is kind and case.says in rule.message]
    assert any(_without_positions(case.path).startswith(at) for case in written)


def _without_positions(path: str) -> str:
    return "".join(part.split("]", 1)[-1] for part in path.split("["))
