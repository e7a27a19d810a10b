"""Only what changed of a status is written, and when to look again is said by what time changes."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as some
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClassStatus
from mizzen_operator.observation import Observation, Refusal
from mizzen_operator.reconcile.next_look import seconds_until_next_look
from mizzen_operator.reconcile.status_patch import merge_patch, status_patch_with_zeros
from mizzen_operator.rollout.fleet import Fleet, ObservedPod, ObservedRevision
from support.deployments import NOON, deployment

JSON = some.recursive(
    some.integers() | some.text(max_size=3),
    lambda inner: some.lists(inner, max_size=2) | some.dictionaries(some.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = some.dictionaries(some.sampled_from("abcd"), JSON, max_size=4)


def merged(target: dict[str, object], patch: dict[str, object]) -> dict[str, object]:
    """RFC 7386."""
    result = dict(target)
    for name, value in patch.items():
        old = result.get(name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merged(old if isinstance(old, dict) else {}, value)
        else:
            result[name] = value
    return result


@given(OBJECTS, OBJECTS)
def test_the_patch_leads_from_one_to_the_other(before: dict[str, object], after: dict[str, object]) -> None:
    patch = merge_patch(before, after)
    assert merged(before, patch) == after
    assert bool(patch) == (before != after)


def test_fields_that_nobody_here_knows_are_not_in_the_patch() -> None:
    assert merge_patch({"a": 1}, {"a": 2}) == {"a": 2}


def test_a_settled_deployment_is_looked_at_when_something_happens() -> None:
    pod = ObservedPod("p", NOON, ready=True)
    fleet = Fleet((ObservedRevision("d-r", "r", NOON, 1, (pod,)),))
    assert seconds_until_next_look(deployment(), Observation(fleet=fleet), None, NOON) is None


def test_a_starting_pod_and_a_refusal_bring_the_next_look() -> None:
    starting = Fleet((ObservedRevision("d-r", "r", NOON, 1, (ObservedPod("p", NOON),)),))
    soon = seconds_until_next_look(deployment(), Observation(fleet=starting), None, NOON + timedelta(seconds=1))
    assert soon == 5
    refused = Observation(refusals=(Refusal("PodRefused", "no"),))
    assert seconds_until_next_look(deployment(), refused, None, NOON) == 15


def test_a_zero_that_was_never_written_is_written_once() -> None:
    counted = AcceleratorClassStatus(observed_generation=1)
    patch = status_patch_with_zeros(AcceleratorClassStatus.model_validate({"observedGeneration": -1}), counted)
    assert (patch["observedGeneration"], patch["nodes"], patch["free"]) == (1, 0, 0)
    assert status_patch_with_zeros(AcceleratorClassStatus.model_validate(patch), counted) == {}
