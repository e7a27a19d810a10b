"""How do LoRA adapters get into an engine pod? Each is fetched into a folder of its own and named to the engine.

They are fetched before the weights, because a pod loses its way out as soon as the weights are there. One that cannot
be fetched keeps the revision from starting, like weights that cannot: the revision before goes on serving.
"""

from typing import Any, Final

from mizzen_crds.v1alpha1.model_deployment.workload import EngineType
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntimeSpec

from mizzen_operator.kinds.model_deployment import variables
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.mounts import AdapterMount, Mounts

MOST_ON_THE_ACCELERATOR: Final = 8
"""vLLM reserves memory for each slot; further adapters wait in the host's memory and take turns."""
ADAPTER_FETCH: Final = "fetch-adapter-"
"""Names of the init containers, before the adapter's place in the spec."""
ADAPTERS: Final = "MIZZEN_ADAPTERS"


def adapter_variables(artifact: Artifact, mount: AdapterMount) -> list[variables.Variable]:
    """Return what one fetch is of, instead of the model's own variables of these names."""
    adapter = next(one.artifact for one in artifact.adapters if one.name == mount.adapter)
    return [
        variables.value("MIZZEN_MODEL_NAME", mount.adapter),
        variables.value("MIZZEN_MODEL_URI", adapter.uri),
        variables.value("MIZZEN_MODEL_DIGEST", adapter.digest),
        variables.value("MIZZEN_MODEL_FORMAT", adapter.format),
        variables.value("MIZZEN_MODEL_BYTES", adapter.size_bytes),
        variables.value("MIZZEN_ALLOW_CODE", "1" if adapter.allow_code else "0"),
        variables.value("MIZZEN_MODEL_DIR", mount.folder),
        variables.value("MIZZEN_OPERATOR_URL", ""),  # its bytes would be taken for the weights'
    ]


def adapter_containers(
    fetch: dict[str, Any], artifact: Artifact, mounts: Mounts, model_volume: str
) -> list[dict[str, Any]]:
    """Return an init container for each adapter, made from the one that fetches the model into `model_volume`."""
    others = [one for one in fetch["volumeMounts"] if one["name"] != model_volume]
    return [
        {
            **fetch,
            "name": f"{ADAPTER_FETCH}{number}",
            "env": variables.merged(fetch["env"], adapter_variables(artifact, mount)),
            "volumeMounts": [mount.mount.mounted(read_only=mount.on_claim), *others],
        }
        for number, mount in enumerate(mounts.adapters)
    ]


def engine_flags(runtime: ServingRuntimeSpec, mounts: Mounts) -> list[str]:
    """Return how vLLM is told of them; any other engine reads MIZZEN_ADAPTERS."""
    if not mounts.adapters or runtime.engine is not EngineType.VLLM:
        return []
    count = len(mounts.adapters)
    return [
        "--enable-lora",
        f"--max-loras={min(count, MOST_ON_THE_ACCELERATOR)}",
        f"--max-cpu-loras={count}",
        "--lora-modules",
        *(f"{one.adapter}={one.folder}" for one in mounts.adapters),
    ]


def engine_variables(mounts: Mounts) -> list[variables.Variable]:
    """Return names and folders, as `name=folder` with blanks between."""
    named = " ".join(f"{one.adapter}={one.folder}" for one in mounts.adapters)
    return [variables.value(ADAPTERS, named)] if named else []
