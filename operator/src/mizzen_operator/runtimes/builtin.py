"""Which runtimes come with Mizzen, and which one does a deployment use?"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.workload import EngineType
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime

PLATFORM_IMAGE = "mizzen.dev/platform"
"""As a runtime's image: the platform's own image, wherever this installation keeps it."""

BUILTIN_OF_ENGINE = {EngineType.TRITON: "triton", EngineType.VLLM: "vllm", EngineType.SIMULATED: "simulated"}


@cache
def _parsed() -> tuple[ServingRuntime, ...]:
    folder = files("mizzen_operator.runtimes")
    texts = [folder.joinpath(f"{name}.yaml").read_text(encoding="utf-8") for name in BUILTIN_OF_ENGINE.values()]
    return tuple(ServingRuntime.model_validate(yaml.safe_load(text)) for text in texts)


def builtin_runtimes() -> dict[str, ServingRuntime]:
    """Return the runtimes `triton`, `vllm` and `simulated`, by name."""
    return {runtime.metadata.name: runtime for runtime in _parsed()}


def runtime_for(deployment: ModelDeployment, runtimes: Mapping[str, ServingRuntime]) -> ServingRuntime | None:
    """Return the runtime that the deployment names, or the built-in one of its engine; None if there is none."""
    engine = deployment.spec.engine
    return runtimes.get(engine.runtime_ref or BUILTIN_OF_ENGINE.get(engine.type, ""))
