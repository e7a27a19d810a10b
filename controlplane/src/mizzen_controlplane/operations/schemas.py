"""Operations on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from mizzen_controlplane.kit.wire import Resource


class OperationState(StrEnum):
    """Where an operation stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


ENDED = frozenset({OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELLED})


class ProgressView(BaseModel):
    """How far it is. Progress alone changes neither `updated_at` nor the ETag."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    stage: str = ""
    """What is done now, such as `fetching model.onnx`."""
    done_bytes: int = 0
    """Bytes that are dealt with."""
    total_bytes: int | None = None
    """Bytes in all; null while that is not known."""


class OperationView(Resource):
    """Long work."""

    project: str
    """Name of its project."""
    kind: str
    """What is done, such as `versions.import`."""
    target: str
    """What it is done to."""
    state: OperationState
    """Where it stands."""
    progress: ProgressView
    """How far it is."""
    result: dict[str, Any]
    """What a SUCCEEDED one made."""
    code: str
    """Why it FAILED, for programs."""
    reason: str
    """Why it FAILED, or is tried again, for people."""
    cancel_asked: bool
    """It ends as soon as its worker hears of it."""
    attempts: int
    """How often it was begun: more than once after a crash, or where a source was away."""
    started_at: datetime | None
    """When it was begun first."""
    ended_at: datetime | None
    """When it came to its end."""
    created_by: str
    """Who asked for it."""
