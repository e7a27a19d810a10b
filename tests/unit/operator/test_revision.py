"""What makes a new revision, and what does not."""

import hashlib
import json
from dataclasses import replace

import pytest
from mizzen_crds.v1alpha1 import labels
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.desired import desired
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.names import child_name
from mizzen_operator.revision import frozen_revision, hash_of_inputs, revision_hash
from mizzen_operator.runtimes.builtin import builtin_runtimes
from support.deployments import deployment

DIGEST = "sha256:" + "a" * 64
ENVIRONMENT = PlanEnvironment("image:1", "http://registry", "http://operator")
ARTIFACT = Artifact("mizzen://mv_1", DIGEST, "ONNX", 1000, 1)

POD_AFFECTING = {
    "engine args": {"engine": {"type": "Triton", "args": ["--log-verbose=1"]}},
    "engine env": {"engine": {"type": "Triton", "env": [{"name": "OMP_NUM_THREADS", "value": "2"}]}},
    "engine version": {"engine": {"type": "Triton", "version": "26.03"}},
    "engine image": {"engine": {"type": "Triton", "image": "nvcr.io/nvidia/tritonserver:26.04-py3"}},
    "runtime": {"engine": {"type": "Triton", "runtimeRef": "mine"}},
    "longest context": {"engine": {"type": "Triton", "maxModelLen": 10}},
    "uri": {"model": {"uri": "hf://org/model"}},
    "secret": {"model": {"uri": "hf://org/model", "secretName": "token"}},
    "cache": {"model": {"versionRef": {"model": "m", "version": 1}, "cache": {"mode": "Volume", "claimName": "c"}}},
    "resources": {"resources": {"limits": {"memory": "1Gi"}}},
    "accelerators": {"resources": {"acceleratorsPerPod": 1}},
    "placement": {"placement": {"nodeSelector": {"zone": "a"}}},
    "pod overrides": {"podOverrides": {"labels": {"team": "a"}}},
    "drain": {"lifecycle": {"drainSeconds": 5}},
    "warm-up": {"lifecycle": {"warmup": {"requests": 1}}},
    "startup budget": {"lifecycle": {"startupBudgetSeconds": 99}},
    "served name": {"servedModelName": "another"},
    "restart": {"metadata": {"annotations": {labels.RESTARTED_AT: "2026-01-01T00:00:00Z"}}},
}
OTHER = {
    "replicas": {"replicas": 7},
    "autoscaling": {"autoscaling": {"maxReplicas": 3}},
    "rollout": {"rollout": {"strategy": "Surge", "minAvailable": 1}},
    "routing": {"routing": {"idleTimeoutSeconds": 5}},
    "access": {"access": {"visibility": "Shared", "allowedProjects": ["b"]}},
    "aliases": {"aliases": ["other"]},
    "stopped": {"lifecycle": {"state": "Stopped"}},
    "fit check": {"resources": {"fitCheck": "Warn"}},
    "another way to name the same version": {"model": {"versionRef": {"model": "sentiment", "version": 1}}},
    "labels of the object": {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}},
    "promotion": {"metadata": {"annotations": {labels.PROMOTE: "abc/1"}}},
    "a default written out": {"lifecycle": {"drainSeconds": 60}, "engine": {"type": "Triton", "args": []}},
}


@pytest.mark.parametrize("changed", POD_AFFECTING)
def test_a_change_of_what_pods_are_made_from_is_a_new_revision(changed):
    assert revision_hash(deployment(**POD_AFFECTING[changed]), DIGEST) != revision_hash(deployment(), DIGEST)


def test_all_those_changes_are_different_revisions():
    every = {revision_hash(deployment(**spec), DIGEST) for spec in POD_AFFECTING.values()}
    assert len(every) == len(POD_AFFECTING)


@pytest.mark.parametrize("changed", OTHER)
def test_any_other_change_keeps_the_revision(changed):
    assert revision_hash(deployment(**OTHER[changed]), DIGEST) == revision_hash(deployment(), DIGEST)


def test_another_artifact_is_another_revision():
    assert revision_hash(deployment(), DIGEST) != revision_hash(deployment(), "sha256:" + "b" * 64)


def test_an_upgrade_of_mizzen_or_of_a_runtime_keeps_the_revision_and_its_template():
    runtime = builtin_runtimes()["triton"]
    first = desired(deployment(), runtime, ARTIFACT, ENVIRONMENT)
    newer = runtime.model_copy(update={"spec": runtime.spec.model_copy(update={"image": "tritonserver:27"})})
    later = desired(
        deployment(), newer, ARTIFACT, PlanEnvironment("image:2", "http://r", "http://o"), frozen=first.revision
    )
    assert later.revision == first.revision
    assert later.manifests[1]["spec"]["template"] == first.revision.template


def test_an_operator_that_begins_to_speak_tls_keeps_the_revision_and_its_template() -> None:
    runtime = builtin_runtimes()["triton"]
    first = desired(deployment(), runtime, ARTIFACT, ENVIRONMENT)
    speaking = replace(ENVIRONMENT, operator_url="https://operator", operator_ca="PEM")
    assert desired(deployment(), runtime, ARTIFACT, speaking).revision.hash == first.revision.hash
    assert desired(deployment(), runtime, ARTIFACT, speaking, frozen=first.revision).revision == first.revision


def test_a_revision_survives_its_controller_revision():
    made = desired(deployment(), builtin_runtimes()["triton"], ARTIFACT, ENVIRONMENT)
    assert frozen_revision(made.manifests[0]) == made.revision


def test_names_of_children_fit_a_label_and_stay_different():
    long, longer = child_name("a" * 63, "0123456789"), child_name("a" * 62 + "b", "0123456789")
    assert len(long) <= 63
    assert long != longer
    assert child_name("short", "pods") == "short-pods"


def test_the_hash_is_that_of_canonical_json_so_that_no_release_restarts_engines() -> None:
    inputs = {"z": {"b": [1, True, None], "a": '模型 \u2028 \x7f \x1f "\\'}, "é": -(2**63), "a/b": {}, "A": "😀"}
    canonical = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hash_of_inputs(inputs) == hashlib.sha256(canonical.encode()).hexdigest()[:10]
