"""What the registry says of a version becomes the same reason on one machine and in a cluster; final ones stall."""

import pytest
from mizzen_cli.local.runner import object_store
from mizzen_crds.v1alpha1.conditions import REASONS
from mizzen_operator.reconcile import registry


def test_the_runner_and_the_operator_give_the_same_reasons() -> None:
    assert object_store.RESOLUTION_REASONS == registry.RESOLUTION_REASONS
    assert set(object_store.RESOLUTION_REASONS.values()) <= REASONS.keys()


@pytest.mark.parametrize(
    ("code", "final"),
    [
        ("version_failed", True),
        ("version_archived", True),
        ("version_not_ready", False),
        ("version_quarantined", False),
    ],
)
def test_only_a_version_that_never_becomes_ready_needs_another_spec(code: str, final: bool) -> None:
    row = REASONS[object_store.RESOLUTION_REASONS[code]]
    assert row.needs_spec_change is final
    assert code == "version_quarantined" or ("Wait" in row.remedy) is not final
