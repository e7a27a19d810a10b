"""Pydantic models become structural schemas, and pages."""

from typing import Annotated, Any

import pytest
from crdgen.kinds import KINDS
from crdgen.schema import structural_schema
from mizzen_controlplane.authorization.roles import BUILT_IN
from mizzen_controlplane.kit.permission import GRANTABLE, Permission
from mizzen_crds.v1alpha1.conditions import REASONS
from mizzen_crds.wire import Resource
from pydantic import Field
from reference.commands import commands_page
from reference.fields import fields_page
from reference.reasons import reasons_page
from reference.roles import roles_page


class Part(Resource):
    """A part."""

    size: Annotated[int, Field(ge=1)] = 1
    """How big."""


class Whole(Resource):
    """A whole."""

    first_part: Part = Part()
    """Its first part."""
    other: Part | None = None
    """Another one."""
    parts: list[Part] = Field(default_factory=list)
    """More."""
    free: dict[str, Any] = Field(default_factory=dict)
    """Anything."""
    name: str
    """Its name."""


def test_references_are_inlined_and_the_field_describes_them() -> None:
    first = structural_schema(Whole)["properties"]["firstPart"]
    assert first["description"] == "Its first part."
    assert first["default"] == {}
    assert first["properties"]["size"] == {
        "default": 1,
        "description": "How big.",
        "minimum": 1,
        "type": "integer",
    }


def test_an_optional_part_is_absent_rather_than_null() -> None:
    other = structural_schema(Whole)["properties"]["other"]
    assert other["type"] == "object"
    assert "default" not in other
    assert "anyOf" not in other


def test_a_free_form_map_keeps_unknown_fields() -> None:
    free = structural_schema(Whole)["properties"]["free"]
    assert free["x-kubernetes-preserve-unknown-fields"] is True
    assert "additionalProperties" not in free


def test_required_fields_are_required() -> None:
    assert structural_schema(Whole)["required"] == ["name"]


def test_a_union_is_refused() -> None:
    class Torn(Resource):
        """Of two kinds."""

        either: int | str = 1
        """One or the other."""

    with pytest.raises(ValueError, match="no unions"):
        structural_schema(Torn)


def test_the_page_of_fields_has_every_rule() -> None:
    page = fields_page(KINDS)
    assert "| `spec.engine.type` | `vLLM`, `Triton`, `Simulated`, `Custom` | *required* |" in page
    assert all(rule.message in page for kind in KINDS for rule in kind.rules)


def test_the_page_of_reasons_has_every_remedy() -> None:
    page = reasons_page()
    assert all(row.reason in page and row.remedy in page for row in REASONS.values())


def test_the_page_of_roles_has_every_permission_with_who_holds_it_and_what_it_opens() -> None:
    path = {"get": {"operationId": "list_keys_api_v1_keys_get", "x-mizzen-permission": "keys:read"}}
    rows = [line.split(" | ") for line in roles_page({"paths": {"/api/v1/keys": path}}).splitlines()]
    table = {row[0].strip("| `"): row[1:] for row in rows if len(row) == len(BUILT_IN) + 1}
    names = [name.strip(" |") for name in table["permission"]]
    for permission in GRANTABLE - {Permission.SELF}:
        held = {name for name, mark in zip(names, table[permission], strict=True) if mark.strip(" |")}
        assert held == {role.name for role in BUILT_IN.values() if permission in role.permissions}
    assert ["| `keys:read`", "`list_keys` |"] in rows


def test_the_page_of_commands_has_every_group_its_options_and_their_variables() -> None:
    page = commands_page()
    assert "`mizzen models push MODEL PATH`" in page
    assert "| `-o, --output table\\|json\\|yaml\\|name` | `table` |" in page
    assert "Variable: `MIZZEN_PROJECT`." in page
    assert "| `--wait, --no-wait` | `--no-wait` |" in page
