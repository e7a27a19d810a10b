"""A revision that does not fit gets no pods under Enforce; what serves is left alone; the status has the numbers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from mizzen_crds.registry import MemoryFacts
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.status import RevisionState, RevisionStatus
from mizzen_operator.kinds.accelerator_class.placement import accelerator_kind
from mizzen_operator.kinds.model_deployment.admission import blocks_pods, refusals
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.environment import AcceleratorKind, PlanEnvironment
from mizzen_operator.observation import Observation
from mizzen_operator.reading import read_object
from mizzen_operator.revision import revision_hash
from mizzen_operator.rollout.fleet import Capacity, Fleet, ObservedPod, ObservedRevision
from mizzen_operator.runtimes.builtin import builtin_runtimes
from mizzen_operator.status import build_status
from mizzen_operator.target import find_target
from support.deployments import NOON, deployment
from support.published_models import LLAMA_8B, LLAMA_70B

GIB = 1024**3
VLLM = builtin_runtimes()["vllm"]
LARGE = Artifact(
    "mizzen://mv_2",
    "sha256:" + "b" * 64,
    "Safetensors",
    version=2,
    architecture="LlamaForCausalLM",
    parameters=9,
    memory=MemoryFacts(config=LLAMA_70B, tensor_bytes={"BF16": 141_107_412_992}),
)
SMALL = Artifact(
    "mizzen://mv_1",
    "sha256:" + "a" * 64,
    "Safetensors",
    version=1,
    memory=MemoryFacts(config=LLAMA_8B, tensor_bytes={"BF16": 16_060_522_496}),
)
ON_80_GIB = PlanEnvironment(
    "image:1", "http://registry", "http://operator", accelerators={"h100": AcceleratorKind(memory_bytes=80 * GIB)}
)


def wanted(fit_check: str = "Enforce", accelerators: int = 1, **resources: object):
    of_class = {"acceleratorClass": "h100", "acceleratorsPerPod": accelerators} if accelerators else {}
    asked = of_class | {"fitCheck": fit_check} | resources
    engine = {"type": "vLLM", "maxModelLen": 8192, "parallelism": {"tensor": max(1, accelerators)}}
    return deployment("llm", engine=engine, resources=asked)


def served(one, artifact: Artifact, state: RevisionState = RevisionState.SERVING):
    """The deployment with a status that says that this artifact's revision has served."""
    digits = revision_hash(one, artifact.digest)
    revision = RevisionStatus(name=f"llm-{digits}", hash=digits, state=state, created_at=NOON)
    return one.model_copy(update={"status": one.status.model_copy(update={"revisions": [revision]})})


def fits(one, artifact: Artifact, memory: int | None = 80 * GIB):
    """The condition ModelFits, and the refusals that led to it."""
    found = refusals(one, VLLM, artifact, (), memory)
    observation = Observation(runtime=VLLM, artifact=artifact, refusals=found, accelerator_bytes=memory)
    status = build_status(one, observation, None, NOON)
    return next(condition for condition in status.conditions if condition.type == "ModelFits"), found, status


def test_what_fits_is_true_with_its_numbers():
    condition, found, status = fits(wanted(), SMALL)
    assert (condition.status, condition.reason, found) == ("True", "Fits", ())
    assert "leaves" in condition.message
    assert status.resolved_model is not None
    assert status.resolved_model.estimated_memory_bytes is not None
    assert 16_060_522_496 < status.resolved_model.estimated_memory_bytes < 24 * GIB


def test_under_enforce_what_does_not_fit_is_refused_with_its_numbers_and_a_suggestion():
    condition, found, _status = fits(wanted(), LARGE)
    assert blocks_pods(found)
    assert (condition.status, condition.reason) == ("False", "DoesNotFit")
    assert "spec.resources: needs 137 GiB (weights 131 GiB" in condition.message
    assert "Set spec.engine.parallelism.tensor to 2" in condition.message


def test_under_warn_the_replicas_are_started_all_the_same():
    condition, found, status = fits(wanted("Warn"), LARGE)
    assert found == ()
    assert (condition.status, condition.reason) == ("False", "FitsBarely")
    assert not any(one.type == "Stalled" for one in status.conditions)


@pytest.mark.parametrize(
    ("one", "reason"), [(wanted("Disabled"), "FitCheckDisabled"), (wanted(accelerators=0), "NoAccelerator")]
)
def test_nothing_is_estimated_where_nobody_asked(one, reason):
    condition, found, _status = fits(one, LARGE)
    assert (condition.status, condition.reason, found) == ("True", reason, ())


def test_without_the_memory_of_the_class_it_is_unknown_and_starts():
    condition, found, _status = fits(wanted(), LARGE, None)
    assert (condition.status, found) == ("Unknown", ())
    assert "memory is not known" in condition.message


@pytest.mark.parametrize("state", [RevisionState.SERVING, RevisionState.RETIRED])
def test_what_has_served_is_never_refused_whatever_a_later_estimate_says(state):
    condition, found, _status = fits(served(wanted(), LARGE, state), LARGE)
    assert (condition.status, condition.reason, found) == ("True", "Fits", ())
    assert "It has run so" in condition.message


def test_what_only_started_is_no_proof():
    _condition, found, _status = fits(served(wanted(), LARGE, RevisionState.PROGRESSING), LARGE)
    assert [one.reason for one in found] == ["DoesNotFit"]


def test_a_version_that_does_not_fit_gets_no_revision_and_the_serving_one_stays_ready():
    before = served(wanted(), SMALL)
    target = find_target(before, VLLM, LARGE, (), {}, ON_80_GIB)
    assert target.desired is None
    assert target.refused
    serving = before.status.revisions[0]
    ready = ObservedPod("p1", NOON, ready=True, fetched=True)
    seen = Observation(
        runtime=VLLM,
        artifact=LARGE,
        refusals=target.found,
        accelerator_bytes=80 * GIB,
        fleet=Fleet((ObservedRevision(serving.name, serving.hash, NOON, 1, (ready,)),)),
        capacity=Capacity(),
        routed=True,
    )
    status = build_status(before, seen, None, NOON + timedelta(seconds=5))
    said = {one.type: (one.status, one.reason) for one in status.conditions}
    assert said["ModelFits"] == ("False", "DoesNotFit")
    assert said["Stalled"] == ("True", "DoesNotFit")
    assert status.ready_replicas == 1
    assert [one.hash for one in status.revisions] == [serving.hash]


def test_what_was_refused_stays_so_while_the_control_plane_or_the_class_is_away():
    refused, _found, status = fits(wanted(), LARGE)
    later = wanted().model_copy(update={"status": status})
    for artifact, memory in ((replace(LARGE, memory=None), 80 * GIB), (LARGE, None)):
        again, found, _kept = fits(later, artifact, memory)
        assert [one.reason for one in found] == ["DoesNotFit"]
        assert again.message == refused.message


def test_the_status_keeps_its_estimate_while_the_control_plane_is_away():
    _condition, _found, status = fits(wanted(), SMALL)
    later = wanted().model_copy(update={"status": status})
    assert fits(later, replace(SMALL, memory=None))[2].resolved_model == status.resolved_model


def test_another_spec_or_model_is_looked_at_anew():
    _condition, _found, status = fits(wanted(), LARGE)
    other = wanted().model_copy(update={"status": status.model_copy(update={"observed_generation": 0})})
    assert refusals(other, VLLM, replace(LARGE, memory=None), (), 80 * GIB) == ()
    moved = wanted().model_copy(update={"status": status})
    assert refusals(moved, VLLM, replace(SMALL, memory=None), (), 80 * GIB) == ()


def test_a_rollback_to_what_has_served_is_rendered_again():
    before = served(wanted(), LARGE, RevisionState.RETIRED)
    assert find_target(before, VLLM, LARGE, (), {}, ON_80_GIB).desired is not None


@pytest.mark.parametrize(("sharing", "memory"), [("Exclusive", 80 * GIB), ("MIG", 20 * GIB), ("TimeSliced", 80 * GIB)])
def test_a_class_tells_the_memory_of_a_whole_accelerator_or_of_a_part(sharing, memory):
    parts = [{"mode": "MIG", "resourceName": "nvidia.com/mig-2g.20gb", "memory": "20Gi", "partsPerAccelerator": 4}]
    spec = {"resourceName": "nvidia.com/gpu", "memory": "80Gi", "sharing": parts}
    klass = AcceleratorClass.model_validate({"metadata": {"name": "h100"}, "spec": spec})
    environment = replace(ON_80_GIB, accelerators={"h100": accelerator_kind(klass)})
    assert environment.accelerator_bytes(wanted(sharing=sharing).spec.resources) == memory


def test_a_class_of_another_name_tells_nothing():
    assert ON_80_GIB.accelerator_bytes(wanted(acceleratorClass="other").spec.resources) is None


def test_parameters_are_those_of_the_dimensions_rather_than_of_packed_words():
    _condition, _found, status = fits(wanted(), LARGE)
    assert status.resolved_model is not None
    assert status.resolved_model.parameters == 70_553_706_496
    assert status.resolved_model.architecture == "LlamaForCausalLM"


def test_no_memory_of_accelerators_is_estimated_for_replicas_on_cpus():
    _condition, _found, status = fits(wanted(accelerators=0), SMALL)
    assert status.resolved_model is not None
    assert status.resolved_model.estimated_memory_bytes is None


def test_a_runtime_that_loads_no_weights_has_none_to_fit():
    simulated = builtin_runtimes()["simulated"]
    one = deployment("llm", engine="Simulated", resources={"acceleratorsPerPod": 1})
    assert refusals(one, simulated, LARGE, (), GIB) == ()
    observation = Observation(runtime=simulated, artifact=LARGE, accelerator_bytes=GIB)
    status = build_status(one, observation, None, NOON)
    assert next(said for said in status.conditions if said.type == "ModelFits").status == "True"


def test_a_class_of_which_no_pod_gets_one_is_said_to_run_on_cpus():
    spec = {"model": {"uri": "hf://a/b"}, "engine": {"type": "vLLM"}, "resources": {"acceleratorClass": "h100"}}
    taken_earlier = read_object(ModelDeployment, {"metadata": {"name": "llm", "namespace": "n"}, "spec": spec})
    condition, _, _ = fits(taken_earlier, SMALL)
    assert (condition.status, condition.reason) == ("True", "NoAccelerator")
    assert "names the class h100, and acceleratorsPerPod is 0" in condition.message
