"""From a push to an estimate: what headers tell is kept with the version, resolved, and held against accelerators."""

import json

import httpx
from mizzen_crds.registry import ResolvedVersion
from mizzen_operator.kinds.model_deployment.artifact import artifact_of_version
from mizzen_operator.kinds.model_deployment.fit.check import fit_of
from mizzen_operator.kinds.model_deployment.fit.verdict import Verdict
from support.controlplane import ControlPlane
from support.deployments import deployment
from support.published_models import SMOLLM2
from support.pushing import new_model, push, safetensors_file

CONFIG = {"architectures": ["LlamaForCausalLM"], **SMOLLM2}
GIB = 1024**3


def test_a_pushed_model_is_estimated_from_what_the_registry_resolves(
    controlplane: ControlPlane, admin: httpx.Client, project: str
) -> None:
    files = {
        "model.safetensors": safetensors_file({"model.embed_tokens.weight": [64, 32]}),
        "config.json": json.dumps(CONFIG).encode(),
    }
    version = push(admin, new_model(admin, project), files, "Safetensors")
    assert version["state"] == "READY", version["reason"]
    with controlplane.client("runner") as runner:
        asked = {"namespace": project, "model": "m", "version": 1}
        resolved = ResolvedVersion.model_validate(runner.get("/internal/v1/models:resolve", params=asked).json())
    artifact = artifact_of_version(resolved)
    assert artifact.memory is not None
    assert artifact.memory.tensor_bytes == {"F32": 64 * 32 * 4}
    wanted = deployment(
        "m", engine={"type": "vLLM", "maxModelLen": 2048}, resources={"acceleratorClass": "a", "acceleratorsPerPod": 1}
    )
    assert fit_of(wanted, artifact, 24 * GIB).verdict is Verdict.FITS
    assert fit_of(wanted, artifact, GIB).verdict is Verdict.DOES_NOT_FIT


def test_a_configuration_beyond_any_model_fails_the_version_with_file_and_limit(
    admin: httpx.Client, project: str
) -> None:
    files = {
        "model.safetensors": safetensors_file({"w": [4]}),
        "config.json": json.dumps(CONFIG | {"hidden_size": 10**12}).encode(),
    }
    version = push(admin, new_model(admin, project), files, "Safetensors")
    assert version["state"] == "FAILED"
    assert "config.json: hidden_size is 1000000000000, and no model has more than 1000000000" in version["reason"]
