"""Where each kind lives."""

import pytest
from mizzen_kube.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    KNOWN,
    LEASES,
    MODEL_DEPLOYMENTS,
    NODES,
    resource_of,
)


def test_paths_are_those_of_the_api() -> None:
    assert CONFIG_MAPS.path() == "/api/v1/configmaps"
    assert CONFIG_MAPS.path("ns", "a") == "/api/v1/namespaces/ns/configmaps/a"
    assert NODES.path("", "n1") == "/api/v1/nodes/n1"
    status = "/apis/mizzen.dev/v1alpha1/namespaces/ns/modeldeployments/m/status"
    assert MODEL_DEPLOYMENTS.path("ns", "m", "status") == status


def test_a_name_cannot_lead_elsewhere() -> None:
    assert CONFIG_MAPS.path("ns", "../secrets/s") == "/api/v1/namespaces/ns/configmaps/..%2Fsecrets%2Fs"


def test_a_name_without_its_namespace_is_refused() -> None:
    with pytest.raises(ValueError, match="ConfigMap a: an object of a namespace needs its namespace"):
        CONFIG_MAPS.path("", "a")


def test_every_kind_is_found_by_its_manifest() -> None:
    assert len(KNOWN) >= 30
    for resource in KNOWN.values():
        assert resource_of({"apiVersion": resource.api_version, "kind": resource.kind}) is resource


def test_a_kind_that_is_not_ours_is_named() -> None:
    with pytest.raises(ValueError, match="batch/v1, Job: not a kind that Mizzen touches"):
        resource_of({"apiVersion": "batch/v1", "kind": "Job"})


def test_resources_are_shown_as_kubectl_takes_them() -> None:
    assert [str(CONFIG_MAPS), str(DEPLOYMENTS), str(LEASES)] == [
        "configmaps",
        "deployments.apps",
        "leases.coordination.k8s.io",
    ]
