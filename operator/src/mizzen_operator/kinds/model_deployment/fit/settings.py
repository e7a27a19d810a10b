"""Which settings of a deployment change its memory? Parallelism, the context and some flags of vLLM."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

UTILISATION: Final = 0.9
"""vLLM's default of --gpu-memory-utilization; newer releases take 0.92."""
BLOCK: Final = 16
"""Tokens of a block of the cache, by default."""
ONE_BYTE_CACHES: Final = ("fp8", "int8")


@dataclass(frozen=True)
class Settings:
    """What the engine is told; None is its default."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    utilisation: float = UTILISATION
    """Share of an accelerator's memory that the engine takes."""
    max_model_len: int | None = None
    batched_tokens: int | None = None
    sequences: int | None = None
    dtype: str = ""
    cache_dtype: str = ""
    quantisation: str = ""
    eager: bool = False
    block: int = BLOCK

    @property
    def accelerators(self) -> int:
        """Accelerators that one copy of the model is divided over."""
        return self.tensor * self.pipeline

    def divided(self, tensor: int) -> "Settings":
        """Return the settings with another tensor size."""
        return replace(self, tensor=tensor)


def settings_of(deployment: ModelDeployment) -> Settings:
    """Return the settings; a flag whose value cannot be read counts as its default: the engine itself refuses it."""
    engine, flags = deployment.spec.engine, flag_values(deployment.spec.engine.args)
    share = _fraction(flags.get("--gpu-memory-utilization", ""))
    return Settings(
        tensor=engine.parallelism.tensor,
        pipeline=engine.parallelism.pipeline,
        data=engine.parallelism.data,
        utilisation=share if share is not None else UTILISATION,
        max_model_len=engine.max_model_len,
        batched_tokens=_whole(flags.get("--max-num-batched-tokens", "")),
        sequences=_whole(flags.get("--max-num-seqs", "")),
        dtype=flags.get("--dtype", ""),
        cache_dtype=flags.get("--kv-cache-dtype", ""),
        quantisation=flags.get("--quantization", ""),
        eager="--enforce-eager" in flags,
        block=_whole(flags.get("--block-size", "")) or BLOCK,
    )


def flag_values(args: Sequence[str]) -> dict[str, str]:
    """Return values by full name, `_` read as `-`; a flag without one has the empty text."""
    values: dict[str, str] = {}
    last = ""
    for item in args:
        if item.startswith("--"):
            name, _, value = item.partition("=")
            last = name.replace("_", "-")
            values[last] = value
        elif last and not values[last]:
            values[last] = item
    return values


def _fraction(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value <= 1 else None


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 and int(text) > 0 else None
