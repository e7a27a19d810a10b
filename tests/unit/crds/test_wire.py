"""Strict on what people write, lenient on what programs read."""

import pytest
from mizzen_crds.v1alpha1.model_deployment import ModelDeploymentStatus
from mizzen_crds.v1alpha1.model_deployment.rollout import Rollout
from mizzen_crds.v1alpha1.model_deployment.status import StartupPhase
from mizzen_crds.v1alpha1.model_deployment.workload import Resources
from pydantic import ValidationError


def test_a_status_of_a_newer_release_is_read() -> None:
    status = ModelDeploymentStatus.model_validate({"replicas": 2, "fieldOfANewerRelease": {"a": 1}})
    assert status.replicas == 2


def test_a_spec_is_read_in_camel_case_alone() -> None:
    with pytest.raises(ValidationError):
        Rollout.model_validate({"max_surge": 2})
    assert Rollout.model_validate({"maxSurge": 2}) == Rollout(max_surge=2)


def test_times_in_a_status_are_whole_seconds() -> None:
    assert StartupPhase(name="load", seconds=1.6).seconds == 2


def test_a_quantity_may_be_a_number_but_not_a_fraction() -> None:
    assert Resources.model_validate({"limits": {"cpu": 2}}).limits == {"cpu": "2"}
    with pytest.raises(ValidationError):
        Resources.model_validate({"limits": {"cpu": 0.5}})


@pytest.mark.parametrize("value", [0, 10_000, "0%", "7%", "100%"])
def test_numbers_and_percents_are_taken(value: int | str) -> None:
    assert Rollout(max_surge=value).max_surge == value


@pytest.mark.parametrize("value", [-1, 10_001, "101%", "5", "x%", True, 0.5, None])
def test_other_amounts_are_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        Rollout.model_validate({"maxSurge": value})
