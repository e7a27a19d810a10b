"""From an empty cluster to a serving Mizzen: two helm commands, nothing else needed, every program Ready at once."""

from support.chart import NAMESPACE
from support.story.mizzen_on_node import PROGRAMS, Platform

KINDS = ("ModelDeployment", "ServingRuntime", "AcceleratorClass", "Project", "ModelRoute")


def test_two_helm_commands_bring_every_program_to_ready_in_an_empty_cluster(platform: Platform) -> None:
    assert not [each for each in platform.before if "mizzen.dev" in each or NAMESPACE in each], "it was not empty"
    assert platform.unready() == []
    for program in PROGRAMS:
        for pod in platform.pods(program):
            every = [*pod["status"]["containerStatuses"], *pod["status"].get("initContainerStatuses", [])]
            assert [each["restartCount"] for each in every] == [0] * len(every), platform.events()
    objects = platform.node.objects
    assert {each["metadata"]["name"] for each in objects.list("ServingRuntime")} == {"vllm", "triton", "simulated"}
    for kind in KINDS:
        assert objects.resource(kind).api_version == "mizzen.dev/v1alpha1"


def test_the_programs_hold_to_pod_security_restricted_and_are_not_root(platform: Platform) -> None:
    namespace = platform.node.objects.get("Namespace", NAMESPACE)
    assert namespace
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for program in PROGRAMS:
        pods = platform.pods(program)
        assert pods, program
        for pod in pods:
            name = pod["metadata"]["name"]
            user = platform.node.cluster.kubectl("exec", "-n", NAMESPACE, name, "--", "python", "-c", WRITES_ROOT)
            assert user.split() == ["10001", "read-only"], name


WRITES_ROOT = """
import os
print(os.getuid())
try:
    open("/written", "w")
except OSError as error:
    print("read-only" if error.errno == 30 else error)
"""
