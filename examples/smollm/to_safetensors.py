"""Turns a GGUF into a folder that vLLM loads: safetensors, tokenizer and chat template. Runs in vLLM's environment.

transformers dequantises the weights but keeps saying that the model is quantised; so the state goes into a new model of
the same class, made from the configuration without that mark.
"""

import json
import sys
from pathlib import Path

import torch  # type: ignore[import-not-found]  # of vLLM's environment
from transformers import AutoModelForCausalLM, AutoTokenizer  # type: ignore[import-not-found]  # of vLLM's environment


def main(weights: Path, target: Path) -> None:
    """Convert `weights` into the folder `target`."""
    where = {"pretrained_model_name_or_path": str(weights.parent), "gguf_file": weights.name}
    loaded = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    configuration = loaded.config
    if hasattr(configuration, "quantization_config"):
        del configuration.quantization_config
    configuration.dtype = torch.bfloat16
    clean = type(loaded)(configuration).to(torch.bfloat16)
    clean.load_state_dict(loaded.state_dict())
    clean.save_pretrained(target, safe_serialization=True)
    tokenizer = AutoTokenizer.from_pretrained(**where)
    tokenizer.save_pretrained(target)
    metadata = {
        "parameters": clean.num_parameters(),
        "source": weights.name,
        "dtype": "bfloat16",
        "chat_template": bool(tokenizer.chat_template),
    }
    (target / "metadata.json").write_text(json.dumps(metadata) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
