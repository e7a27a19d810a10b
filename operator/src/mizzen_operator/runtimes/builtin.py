"""Which runtimes come with Mizzen, and which one does a deployment use?"""

from collections.abc import Mapping

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime


def builtin_runtimes() -> dict[str, ServingRuntime]:
    """Return the runtimes `triton`, `vllm` and `simulated`, by name."""
    raise NotImplementedError


def runtime_for(deployment: ModelDeployment, runtimes: Mapping[str, ServingRuntime]) -> ServingRuntime | None:
    """Return the runtime that the deployment names, or the built-in one of its engine; None if there is none."""
    raise NotImplementedError
