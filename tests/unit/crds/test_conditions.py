"""The table of reasons."""

import re

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.conditions import CONDITION_TYPES_OF, READY, REASONS

KNOWN_TYPES = {name for types in CONDITION_TYPES_OF.values() for name in types}


def test_every_reason_is_of_a_known_condition_and_says_what_it_means() -> None:
    for row in REASONS.values():
        assert row.condition_types, row.reason
        assert set(row.condition_types) <= KNOWN_TYPES, row.reason
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


def test_every_condition_has_a_reason_to_be_true_and_one_to_be_false() -> None:
    stated = [name for row in REASONS.values() for name in row.condition_types]
    lasting = KNOWN_TYPES - {conditions.RECONCILING, conditions.STALLED}
    assert [name for name in sorted(lasting) if stated.count(name) < 2] == []


def test_every_kind_sums_up_its_conditions() -> None:
    assert [kind for kind, types in CONDITION_TYPES_OF.items() if READY not in types] == []
