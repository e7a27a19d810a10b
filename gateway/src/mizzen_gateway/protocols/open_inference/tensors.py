"""Whether the tensors of a request are those that the model takes: name, datatype, shape, bytes."""

import struct
from math import prod
from typing import Any

from mizzen_gateway.protocols.open_inference.elements import check_elements
from mizzen_gateway.protocols.open_inference.errors import invalid
from mizzen_gateway.protocols.open_inference.metadata import ModelMetadata, Tensor
from mizzen_gateway.stages import Refusal

ITEM_BYTES = {
    "BOOL": 1, "UINT8": 1, "INT8": 1, "UINT16": 2, "INT16": 2, "FP16": 2, "BF16": 2,
    "UINT32": 4, "INT32": 4, "FP32": 4, "UINT64": 8, "INT64": 8, "FP64": 8,
}  # fmt: skip
MOST_ELEMENTS = 2**40
WALKED_ELEMENTS = 65_536
"""Elements of a BYTES tensor that are looked at one by one; the engine looks at longer ones."""


def check_inputs(inputs: list[dict[str, Any]], binary: memoryview, metadata: ModelMetadata) -> Refusal | None:
    """The first thing wrong with the inputs. `binary` is what follows the JSON header."""
    offset = 0
    seen: set[str] = set()
    for given in inputs:
        name = given["name"]
        if name in seen:
            return invalid(name, f"Input '{name}': given twice; send each input once.")
        seen.add(name)
        wanted = metadata.inputs.get(name)
        if wanted is None:
            return invalid(name, f"Input '{name}': unknown; this model takes {_names(metadata.inputs)}.")
        size = binary_size(given)
        refusal = _check_tensor(given, wanted, metadata.max_batch)
        if refusal is None and size is not None:
            refusal = _check_bytes(given, binary[offset : offset + size], size)
            offset += size
        if refusal is not None:
            return refusal
    for tensor in metadata.inputs.values():
        if tensor.name not in seen and tensor.optional is False:
            return invalid(tensor.name, f"Input '{tensor.name}': missing; this model takes {_names(metadata.inputs)}.")
    return None


def check_outputs(outputs: list[dict[str, Any]], metadata: ModelMetadata) -> Refusal | None:
    """A requested output that the model does not have."""
    for wanted in outputs:
        name = wanted["name"]
        if metadata.outputs and name not in metadata.outputs:
            return invalid(name, f"Output '{name}': unknown; this model gives {_names(metadata.outputs)}.")
    return None


def binary_size(tensor: dict[str, Any]) -> int | None:
    """Bytes of the tensor after the JSON header; None for data inside it."""
    parameters = tensor.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    return size if isinstance(size, int) else None


def _names(tensors: dict[str, Tensor]) -> str:
    described = (f"'{one.name}' ({one.datatype}, shape {list(one.shape)})" for one in tensors.values())
    return ", ".join(described) or "none"


def _check_tensor(given: dict[str, Any], wanted: Tensor, max_batch: int) -> Refusal | None:
    name, shape = given["name"], given["shape"]
    if given["datatype"] != wanted.datatype:
        return invalid(
            name, f"Input '{name}': datatype {given['datatype']}, but the model takes {wanted.datatype}; convert it."
        )
    fits = len(shape) == len(wanted.shape) and all(
        want in (-1, size) for size, want in zip(shape, wanted.shape, strict=True)
    )
    if not fits:
        expected = list(wanted.shape)
        return invalid(
            name, f"Input '{name}': shape {shape}, but the model takes {expected} (-1 is any size); reshape it."
        )
    if max_batch and shape and shape[0] > max_batch:
        return invalid(
            name,
            f"Input '{name}': a batch of {shape[0]} is larger than the limit of {max_batch}; send smaller batches.",
        )
    elements = prod(shape)
    if elements > MOST_ELEMENTS:
        return invalid(name, f"Input '{name}': shape {shape} has more than {MOST_ELEMENTS} elements; send fewer.")
    data = given.get("data")
    return check_elements(name, data, wanted.datatype, shape) if isinstance(data, list) else None


def _check_bytes(given: dict[str, Any], held: memoryview, size: int) -> Refusal | None:
    name, datatype, shape = given["name"], given["datatype"], given["shape"]
    elements = prod(shape)
    item = ITEM_BYTES.get(datatype)
    if item is not None:
        if size == item * elements:
            return None
        return invalid(
            name,
            f"Input '{name}': {size} bytes, but shape {shape} of {datatype} takes {item * elements}; send those.",
        )
    if datatype == "BYTES" and elements <= WALKED_ELEMENTS and count_strings(held) != elements:
        return invalid(
            name,
            f"Input '{name}': its {size} bytes are not the {elements} elements of shape {shape};"
            " each is a length of 4 bytes (little-endian), then so many bytes.",
        )
    return None


def count_strings(held: memoryview) -> int | None:
    """Elements of a BYTES tensor; None where its lengths do not add up."""
    offset = count = 0
    while offset + 4 <= len(held):
        (length,) = struct.unpack_from("<I", held, offset)
        offset += 4 + length
        count += 1
    return count if offset == len(held) else None
