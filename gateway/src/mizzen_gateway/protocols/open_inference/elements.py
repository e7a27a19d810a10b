"""Whether the elements of a tensor in JSON are of its datatype: an engine takes a wrong one for its own failure."""

from itertools import chain
from typing import Any

from mizzen_gateway.protocols.open_inference.errors import invalid
from mizzen_gateway.stages import Refusal

NUMBERS: frozenset[type] = frozenset({int, float})
WORDS: dict[str, tuple[frozenset[type], str]] = {
    "BYTES": (frozenset({str}), "texts"),
    "BOOL": (frozenset({bool}), "true or false"),
    "FP64": (NUMBERS, "numbers"),
    "FP32": (NUMBERS, "numbers"),
    "FP16": (NUMBERS, "numbers"),
    "BF16": (NUMBERS, "numbers"),
}
RANGES = {
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
WHOLE: frozenset[type] = frozenset({int})


def check_elements(name: str, data: list[Any], datatype: str, shape: list[int]) -> Refusal | None:
    """The first thing wrong with the elements: how deep, how many, of what kind, how large."""
    flat = flattened(data)
    if flat is None:
        return invalid(name, f"Input '{name}': data mixes elements and lists; send one list, or lists of one depth.")
    elements = 1
    for size in shape:
        elements *= size
    if len(flat) != elements:
        return invalid(
            name, f"Input '{name}': {len(flat)} elements, but shape {shape} has {elements}; send exactly those."
        )
    bounds = RANGES.get(datatype)
    kinds, words = WORDS.get(datatype, (None, "")) if bounds is None else (WHOLE, _whole(bounds))
    if kinds is None:
        return None
    wrong = flat and (not kinds.issuperset(map(type, flat)) or (bounds and not _within(flat, bounds)))
    return invalid(name, f"Input '{name}': data of datatype {datatype} must be {words}.") if wrong else None


def flattened(data: list[Any]) -> list[Any] | None:
    """The elements, row by row; None where lists stand beside elements. Not recursive: depth is the caller's."""
    while data:
        kinds = set(map(type, data))
        if list not in kinds:
            break
        if len(kinds) > 1:
            return None
        data = list(chain.from_iterable(data))
    return data


def _whole(bounds: tuple[int, int]) -> str:
    return f"whole numbers from {bounds[0]} to {bounds[1]}"


def _within(flat: list[Any], bounds: tuple[int, int]) -> bool:
    return bool(bounds[0] <= min(flat) and max(flat) <= bounds[1])
