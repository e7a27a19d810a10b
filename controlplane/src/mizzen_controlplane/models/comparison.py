"""What a caller of one version would notice with another: tensors, format, size, context, metadata. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mizzen_crds.registry import Signature, TensorSpec

from mizzen_controlplane.models.schemas import Comparison, Difference, SignatureRelation, VersionDetail, VersionView

MOST_FILES = 100
Results = Mapping[str, float]
"""Metric -> the value that counts."""


def compare(
    one: VersionDetail, other: VersionDetail, before: Results | None = None, after: Results | None = None
) -> Comparison:
    """Differences from `one` to `other`, breaking ones first; `before` and `after` are their evaluations."""
    signature = signature_differences(one.signature, other.signature)
    found = [
        *signature,
        *_artifact(one, other),
        *_files(one, other),
        *_licence(one, other),
        *_results(before or {}, after or {}),
        *_metadata(one.metadata, other.metadata),
    ]
    return Comparison(
        model=one.model,
        from_version=one.version,
        to_version=other.version,
        compatible=not any(difference.breaking for difference in found),
        signature=relation(signature),
        differences=sorted(found, key=lambda difference: not difference.breaking),
    )


def signature_differences(before: Signature, after: Signature) -> list[Difference]:
    """What a caller would notice of the signature alone."""
    return [
        *_tensors("inputs", before.inputs, after.inputs),
        *_tensors("outputs", before.outputs, after.outputs),
        *_signature(before, after),
    ]


def relation(differences: Sequence[Difference]) -> SignatureRelation:
    """How one signature stands to another, by their differences."""
    if any(difference.breaking for difference in differences):
        return SignatureRelation.BREAKING
    if any(difference.widening for difference in differences):
        return SignatureRelation.WIDENING
    return SignatureRelation.COMPATIBLE


def _tensors(side: str, ones: Sequence[TensorSpec], others: Sequence[TensorSpec]) -> Iterator[Difference]:
    before, after = {spec.name: spec for spec in ones}, {spec.name: spec for spec in others}
    for name in sorted(before.keys() | after.keys()):
        field = f"signature.{side}.{name}"
        if name not in after:
            # An input that is gone is refused when callers send it; an output that is gone is missed.
            yield _difference(field, before[name].model_dump(), None, True, f"{side[:-1]} {name} is gone")
        elif name not in before:
            needed = side == "inputs"
            said = "is new, and callers do not send it" if needed else "is new"
            added = after[name].model_dump()
            yield _difference(field, None, added, needed, f"{side[:-1]} {name} {said}", widening=not needed)
        else:
            yield from _tensor(field, side, before[name], after[name])


def _tensor(field: str, side: str, one: TensorSpec, other: TensorSpec) -> Iterator[Difference]:
    if one.datatype != other.datatype:
        detail = f"{one.name} is {other.datatype} instead of {one.datatype}"
        yield _difference(f"{field}.datatype", one.datatype, other.datatype, True, detail)
    if one.shape != other.shape:
        accepts = _accepts(other.shape, one.shape) if side == "inputs" else _accepts(one.shape, other.shape)
        detail = f"{one.name} has the shape {other.shape} instead of {one.shape}"
        wider = accepts and side == "inputs"
        yield _difference(f"{field}.shape", one.shape, other.shape, not accepts, detail, widening=wider)


def _accepts(wide: Sequence[int], narrow: Sequence[int]) -> bool:
    """Whether all tensors of the shape `narrow` are of the shape `wide` too."""
    same_rank = len(wide) == len(narrow)
    return same_rank and all(left in (-1, right) for left, right in zip(wide, narrow, strict=True))


def _signature(before: Signature, after: Signature) -> Iterator[Difference]:
    if before.batched != after.batched:
        detail = "requests are batched in one of them only, so shapes differ by a dimension"
        yield _difference("signature.batched", before.batched, after.batched, True, detail)
    if before.architecture != after.architecture:
        detail = f"architecture {after.architecture or 'unknown'} instead of {before.architecture or 'unknown'}"
        yield _difference("signature.architecture", before.architecture, after.architecture, False, detail)
    if before.context_length != after.context_length:
        shorter = (after.context_length or 0) < (before.context_length or 0)
        detail = f"context of {after.context_length} tokens instead of {before.context_length}"
        lengths = (before.context_length, after.context_length)
        yield _difference("signature.context_length", *lengths, shorter, detail, widening=not shorter)
    if before.chat_template_sha256 != after.chat_template_sha256:
        lost = bool(before.chat_template_sha256) and not after.chat_template_sha256
        detail = "the chat template is gone" if lost else "the chat template is another"
        templates = (before.chat_template_sha256 or None, after.chat_template_sha256 or None)
        yield _difference("signature.chat_template_sha256", *templates, lost, detail)
    if before.parameters != after.parameters:
        detail = f"{after.parameters} parameters instead of {before.parameters}"
        yield _difference("signature.parameters", before.parameters, after.parameters, False, detail)


def _files(one: VersionDetail, other: VersionDetail) -> Iterator[Difference]:
    before, after = ({file.path: file.sha256 for file in version.files} for version in (one, other))
    changed = [path for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]
    for path in changed[:MOST_FILES]:
        said = "is new" if path not in before else "is gone" if path not in after else "is another"
        yield _difference(f"files.{path}", before.get(path), after.get(path), False, f"{path} {said}")
    if len(changed) > MOST_FILES:
        detail = f"{len(changed) - MOST_FILES} more files differ"
        yield _difference("files", len(before), len(after), False, detail)


def licence_of(version: VersionView) -> str | None:
    """What its makers say of its licence: the tag or metadata of that name, in either spelling."""
    said = {**version.metadata, **version.tags}
    found = said.get("licence") or said.get("license")
    return str(found) if found else None


def _licence(one: VersionView, other: VersionView) -> Iterator[Difference]:
    before, after = licence_of(one), licence_of(other)
    if before != after:
        yield _difference(
            "licence", before, after, False, f"licence {after or 'unknown'} instead of {before or 'unknown'}"
        )


def _results(before: Results, after: Results) -> Iterator[Difference]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            detail = f"{name} is {after.get(name)} instead of {before.get(name)}"
            yield _difference(f"evaluations.{name}", before.get(name), after.get(name), False, detail)


def _artifact(one: VersionView, other: VersionView) -> Iterator[Difference]:
    if one.format != other.format:
        yield _difference(
            "format", one.format, other.format, False, f"stored as {other.format} instead of {one.format}"
        )
    if one.size_bytes != other.size_bytes:
        detail = f"{other.size_bytes} bytes instead of {one.size_bytes}"
        yield _difference("size_bytes", one.size_bytes, other.size_bytes, False, detail)
    if one.digest != other.digest:
        yield _difference("digest", one.digest, other.digest, False, "the files differ")


def _metadata(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Difference]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            detail = f"{name} is {after.get(name)} instead of {before.get(name)}"
            yield _difference(f"metadata.{name}", before.get(name), after.get(name), False, detail)


def _difference(
    field: str, before: Any, after: Any, breaking: bool, detail: str, *, widening: bool = False
) -> Difference:
    return Difference(field=field, before=before, after=after, breaking=breaking, widening=widening, detail=detail)
