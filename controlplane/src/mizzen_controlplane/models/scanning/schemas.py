"""Scans, releases from quarantine and a project's policy on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from mizzen_crds.v1alpha1.model_deployment.source import ModelFormat
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from mizzen_controlplane.kit.wire import Body, Resource, example
from mizzen_controlplane.models.signing.schemas import VersionInUse


def _without_nul(text: str) -> str:
    if "\0" in text or not text.strip():
        raise ValueError("write a sentence, without NUL characters")
    return text


Reason = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_without_nul)]


class Severity(StrEnum):
    """How bad a finding is, from the mildest on."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Verdict(StrEnum):
    """What follows from a scan."""

    CLEAN = "clean"
    RELEASED = "released"
    QUARANTINED = "quarantined"


class FindingView(BaseModel):
    """One thing that was found."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    file: str
    """Path in the version; inside an archive with `!` between the archive and its entry."""
    rule: str
    """Such as pickle-import."""
    severity: Severity
    """How bad it is."""
    detail: str
    """For people. A secret that was found is never in it."""


class ScanView(Resource):
    """A scan of a version; its name is its verdict."""

    version: int
    """Number of the version."""
    verdict: Verdict
    """What follows from it."""
    rules: str
    """Version of the rules."""
    findings: list[FindingView]
    """The first 500."""
    left_out: int
    """How many more there were."""
    created_by: str
    """Who had it scanned."""


class ReleaseCreate(Body):
    """Why a quarantined version may be used all the same."""

    model_config = example(
        {
            "reason": "the pickle is our own",
            "expires_at": "2099-01-31T00:00:00Z",
        }
    )

    reason: Reason
    """For the audit trail."""
    expires_at: AwareDatetime | None = None
    """Quarantined again from then on; absent: for as long as nothing else is found in it."""


class QuarantineCreate(Body):
    """Why a version may not be used."""

    model_config = example({"reason": "its dataset was withdrawn"})

    reason: Reason
    """For the audit trail, and for those who meet the version."""


class PolicyPut(Body):
    """What a project takes into its registry and lets be served."""

    model_config = example({"formats": ["Safetensors", "ONNX"], "quarantine_from": "high"})

    formats: Annotated[list[ModelFormat], Field(min_length=1, max_length=16)] | None = None
    """Formats of versions that may be pushed from now on; null for all, of which those that carry code still need
    `allow_code` of the project."""
    quarantine_from: Severity = Severity.HIGH
    """A version with a finding of this severity or above is quarantined."""
    require_signature: bool | None = None
    """Only versions that a trusted key (`signing-keys`) has signed are aliased, resolved and fetched; absent: as it is.
    """


class PolicyView(Resource):
    """A project's policy."""

    project: str
    """Name of the project."""
    formats: list[ModelFormat] | None
    """Formats that may be pushed; null for all."""
    quarantine_from: Severity
    """From which severity on a finding quarantines a version."""
    require_signature: bool
    """Only versions that a trusted key has signed are aliased, resolved and fetched."""
    unsigned: list[VersionInUse]
    """Versions that an alias or a deployment names and that no trusted key has signed."""


class ReleaseView(Resource):
    """A release from quarantine; its name is the version's."""

    reason: str
    """Why."""
    digest: str
    """Of the version: it holds for no other."""
    expires_at: datetime | None
    """Quarantined again from then on."""
    created_by: str
    """Who released it."""
