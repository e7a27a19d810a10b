"""A real vLLM, started with the flags that the operator renders, answers by an adapter's name as that adapter."""

import asyncio
import json
import struct
from pathlib import Path

import httpx
import pytest
from mizzen_operator.kinds.model_deployment.adapters import engine_flags
from mizzen_operator.kinds.model_deployment.artifact import Artifact, with_adapters
from mizzen_operator.kinds.model_deployment.mounts import mounts_of
from mizzen_operator.runtimes.builtin import builtin_runtimes
from support.deployments import deployment
from support.until import until
from support.vllm_on_cpu import serving

HIDDEN, RANK, LAYERS = 576, 8, 30


def write_adapter(folder: Path) -> None:
    """A LoRA adapter of SmolLM2-135M that changes every layer's query a lot: rank 8, all its numbers alike."""
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": 16, "target_modules": ["q_proj"], "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps({**config, "task_type": "CAUSAL_LM"}))
    header, data = {}, b""
    for layer in range(LAYERS):
        for part, shape in (("lora_A", [RANK, HIDDEN]), ("lora_B", [HIDDEN, RANK])):
            name = f"base_model.model.model.layers.{layer}.self_attn.q_proj.{part}.weight"
            numbers = struct.pack("<f", 0.05 * (-1) ** layer) * (RANK * HIDDEN)
            header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(numbers)]}
            data += numbers
    written = json.dumps(header).encode()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(written)) + written + data)


@pytest.mark.timeout(600)
def test_vllm_answers_as_the_adapter_that_is_called_by_its_name(tmp_path: Path) -> None:
    runtime, wanted = builtin_runtimes()["vllm"].spec, deployment("chat", "vLLM")
    artifact = with_adapters(Artifact("mizzen://mv_1"), [("polite", Artifact("mizzen://mv_2"))])
    mounts = mounts_of(wanted, runtime, artifact)
    write_adapter(tmp_path / "pod" / mounts.adapters[0].folder.lstrip("/"))
    flags = [one.replace("=/mizzen/", f"={tmp_path}/pod/mizzen/") for one in engine_flags(runtime, mounts)]
    with serving(tmp_path, *flags) as vllm, httpx.Client(base_url=vllm.url, timeout=120, trust_env=False) as client:

        def answers() -> bool:
            try:
                return client.get("/health").status_code == 200
            except httpx.TransportError:
                return vllm.ended

        asyncio.run(until(answers, 400.0))
        assert not vllm.ended, vllm.said()[-3000:]
        assert {one["id"] for one in client.get("/v1/models").json()["data"]} == {"chat", "polite"}
        ask = {"prompt": "The capital of France is", "max_tokens": 8, "temperature": 0}
        said = {name: client.post("/v1/completions", json={**ask, "model": name}).json() for name in ("chat", "polite")}
    assert said["polite"]["model"] == "polite"
    assert said["chat"]["choices"][0]["text"] != said["polite"]["choices"][0]["text"], said
