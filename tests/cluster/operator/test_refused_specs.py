"""A spec that is refused: what stands around the revision that serves comes back, and gateways find its pods."""

import pytest
from support.cluster.objects import Objects, wait_until
from support.model_objects import model, says, wait_ready

NAME = "kept"
AROUND = (("Service", NAME), ("Service", f"{NAME}-pods"), ("NetworkPolicy", NAME), ("PodDisruptionBudget", NAME))


@pytest.fixture
def refused(objects: Objects) -> Objects:
    """A deployment serves, and its newest spec asks for an argument that is not allowed."""
    objects.create(model(NAME))
    wait_ready(objects, NAME)
    objects.merge("ModelDeployment", NAME, {"spec": {"engine": {"args": ["--forbidden=1"]}}})
    objects.wait("ModelDeployment", NAME, says("UpToDate", "False", "ArgNotAllowed"))
    return objects


def test_what_is_deleted_around_a_serving_revision_comes_back_as_it_was(refused: Objects) -> None:
    before = {key: refused.get(*key) for key in AROUND}
    for kind, name in AROUND:
        refused.delete(kind, name)
    for (kind, name), old in before.items():
        assert old is not None

        def is_new(kind: str = kind, name: str = name, uid: str = old["metadata"]["uid"]) -> bool:
            found = refused.get(kind, name)
            return found is not None and found["metadata"]["uid"] != uid

        wait_until(is_new, 30, f"{kind} {name} does not come back")
        again = refused.get(kind, name)
        assert again is not None
        for field in ("ports", "selector", "ingress", "egress", "podSelector", "maxUnavailable", "minAvailable"):
            assert again["spec"].get(field) == old["spec"].get(field), field
    refused.wait("ModelDeployment", NAME, says("Ready"))


def test_a_policy_that_was_opened_by_hand_is_closed_again(refused: Objects) -> None:
    closed = refused.get("NetworkPolicy", NAME)
    assert closed is not None
    refused.merge("NetworkPolicy", NAME, {"spec": {"ingress": [{}]}})
    refused.wait("NetworkPolicy", NAME, lambda one: one["spec"]["ingress"] == closed["spec"]["ingress"], 30)
    refused.wait("ModelDeployment", NAME, says("UpToDate", "False", "ArgNotAllowed"))
