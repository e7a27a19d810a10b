"""How many bits does a quantised weight take, its scales counted? From `quantization_config` of a config.json.

Sources: AWQ and GPTQ keep a 16-bit scale and a zero point of the weight's own width for each group of weights
(arXiv:2306.00978, arXiv:2210.17323); block FP8 a 32-bit scale for each block (arXiv:2412.19437, section 3.3); MXFP4 an
8-bit scale for 32 weights (OCP Microscaling Formats 1.0); bitsandbytes a 32-bit maximum for 64 weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mizzen_operator.kinds.model_deployment.fit.shape import number


class UnknownQuantisationError(Exception):
    """The configuration names a quantisation whose width is not known."""


@dataclass(frozen=True)
class Quantisation:
    """How matrices are stored."""

    bits: float
    """For each weight, scales counted."""
    experts_only: bool = False
    """The matrices outside the experts keep their precision."""


def read_quantisation(config: Mapping[str, Any]) -> Quantisation | None:
    """Return how the matrices are stored; None for plain weights. Raises UnknownQuantisationError."""
    found = config.get("quantization_config")
    if not isinstance(found, Mapping) or not found:
        return None
    method = str(found.get("quant_method") or "")
    if method in {"awq", "gptq", "auto-round", "intel/auto-round"}:
        bits = number(found, "bits", "num_bits") or 4
        return Quantisation(bits + _per_group(found, 16 + bits))
    if method in {"fp8", "fbgemm_fp8"}:
        return Quantisation(8 + _per_block(found))
    if method == "mxfp4":
        return Quantisation(4 + 8 / 32, experts_only=True)
    if method == "bitsandbytes":
        return Quantisation(4 + 32 / 64 if found.get("load_in_4bit") is True else 8)
    if method == "compressed-tensors":
        return _compressed(found)
    raise UnknownQuantisationError(f"The quantisation {method or 'without quant_method'!r} is not known.")


def _per_group(found: Mapping[str, Any], bits: int) -> float:
    group = number(found, "group_size")
    return bits / group if group else 0.0  # -1: one scale for a whole row


def _per_block(found: Mapping[str, Any]) -> float:
    block = found.get("weight_block_size")
    sides = [side for side in block if isinstance(side, int) and side > 0] if isinstance(block, list) else []
    return 32 / (sides[0] * sides[1]) if len(sides) == 2 else 0.0


def _compressed(found: Mapping[str, Any]) -> Quantisation:
    groups = found.get("config_groups")
    weights = [
        part["weights"]
        for part in (groups.values() if isinstance(groups, Mapping) else ())
        if isinstance(part, Mapping) and isinstance(part.get("weights"), Mapping)
    ]
    widths = [bits + _per_group(part, 16) for part in weights if (bits := number(part, "num_bits"))]
    if not widths:
        raise UnknownQuantisationError("config_groups of compressed-tensors does not say num_bits.")
    return Quantisation(max(widths))
