"""`mizzen models show`: one version in words: what it is made of, and what a caller sends and gets."""

from collections.abc import Iterator

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.output import size

BATCH = "N"
"""Any number of items, the first axis of a model that batches."""
ANY_SIZE = -1


def find_version(api: ApiClient, reference: str) -> Json:
    """The version that MODEL, MODEL@NUMBER or MODEL@ALIAS means; the newest without an @."""
    model, _, wanted = reference.partition("@")
    if not wanted:
        wanted = str(api.get(api.path("models", model))["latest_version"] or 1)
    if not wanted.isdigit():
        wanted = str(api.get(api.path("models", model, "aliases", wanted))["version"])
    return api.get(api.path("models", model, "versions", wanted))


def version_lines(version: Json) -> Iterator[str]:
    """Lines of text for a version of the REST API."""
    yield f"Model:      {version['model']}"
    yield f"Version:    {version['version']}, {version['state']}"
    if version["reason"]:
        yield f"Reason:     {version['reason']}"
    if version["aliases"]:
        yield f"Aliases:    {', '.join(version['aliases'])}"
    yield f"Format:     {version['format']}, {size(version['size_bytes'])}"
    yield f"Digest:     {version['digest']}"
    for file in version.get("files", []):
        yield f"File:       {file['path']}, {size(file['size'])}"
    for key, value in version["metadata"].items():
        yield f"Metadata:   {key} = {value}"
    yield from _signature(version["signature"])


def _signature(signature: Json) -> Iterator[str]:
    batched = bool(signature.get("batched"))
    for kind in ("inputs", "outputs"):
        for tensor in signature.get(kind, []):
            yield f"{kind[:-1].title() + ':':<12}{tensor_text(tensor, batched=batched)}"
    for field in ("architecture", "context_length", "parameters"):
        if signature.get(field):
            yield f"{field.replace('_', ' ').title() + ':':<12}{signature[field]}"


def tensor_text(tensor: Json, *, batched: bool) -> str:
    """`X FP32 [N, 13]`: name, type, and shape with the batch; `any` for a size that is not fixed."""
    sizes = ["any" if each == ANY_SIZE else str(each) for each in tensor["shape"]]
    return f"{tensor['name']} {tensor['datatype']} [{', '.join([BATCH, *sizes] if batched else sizes)}]"
