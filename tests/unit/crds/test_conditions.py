"""The table of reasons."""

import re

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.conditions import CONDITION_TYPES, READY, REASONS


def test_every_reason_is_of_a_known_condition_and_says_what_it_means() -> None:
    for row in REASONS.values():
        assert row.condition_types, row.reason
        assert set(row.condition_types) <= set(CONDITION_TYPES), row.reason
        assert row.meaning.endswith("."), row.reason


def test_every_reason_that_needs_a_person_has_a_remedy() -> None:
    assert [row.reason for row in REASONS.values() if row.needs_spec_change and not row.remedy] == []


def test_reasons_have_the_shape_that_kubernetes_wants() -> None:
    assert [reason for reason in REASONS if not re.fullmatch(r"[A-Z][A-Za-z]{0,127}", reason)] == []


def test_every_reason_is_a_constant_of_its_name() -> None:
    constants = {value for name, value in vars(conditions).items() if name.isupper() and isinstance(value, str)}
    assert set(REASONS) <= constants


def test_zero_replicas_on_purpose_is_ready() -> None:
    assert READY in REASONS[conditions.SCALED_TO_ZERO].condition_types
    assert READY in REASONS[conditions.STOPPED].condition_types
