"""Batches: as callers see them, in the form of the OpenAI API, and as the gateways that run them do."""

from datetime import datetime
from typing import Literal

from mizzen_crds.wire import Message

ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses")
"""What lines may ask for."""
WINDOW, WINDOW_SECONDS = "24h", 86_400
MOST_RESULTS = 500
"""Of one body."""

BatchStatus = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]


class BatchCreate(Message):
    """Body of `POST /internal/v1/projects/{project}/batches`."""

    input_file_id: str
    endpoint: str
    completion_window: str = WINDOW
    metadata: dict[str, str] | None = None
    output_expires_seconds: int | None = None
    """How long the files of answers are kept; None: as long as they may be."""


class RequestCounts(Message):
    """Lines."""

    total: int
    completed: int
    failed: int
    """Sent, and not answered well."""


class BatchFault(Message):
    """Why a batch failed."""

    code: str
    message: str
    line: int | None = None
    """Of the input file, from 1."""
    param: str | None = None


class BatchFaults(Message):
    """Of one batch."""

    object: Literal["list"] = "list"
    data: list[BatchFault]


class BatchObject(Message):
    """A batch. Times are seconds since the epoch."""

    id: str
    """batch_..."""
    object: Literal["batch"] = "batch"
    endpoint: str
    errors: BatchFaults | None = None
    input_file_id: str
    completion_window: str
    status: BatchStatus
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int
    in_progress_at: int | None = None
    expires_at: int
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: RequestCounts
    metadata: dict[str, str] | None = None


class BatchList(Message):
    """Batches, one page."""

    object: Literal["list"] = "list"
    data: list[BatchObject]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool = False


class BatchLeaseRequest(Message):
    """Body of `POST /internal/v1/batches:lease`."""

    holder: str
    """Name of the gateway, of a worker its own."""
    running: list[str] = []
    """Batches that it runs. Any other that it holds is from before its restart: it gets that again at once."""


class BatchWork(Message):
    """A batch that the holder is to run: nobody else gets it while its lease lasts."""

    batch_id: str
    project_id: str
    key_id: str
    """Whose rights, limits and budgets its lines have."""
    endpoint: str
    expires_at: datetime
    """End of its window, UTC."""


class BatchLine(Message):
    """One line of the input file."""

    number: int
    """From 1, empty ones not counted."""
    text: str


class BatchLines(Message):
    """Lines that have no result yet, in order."""

    lines: list[BatchLine]
    after: int
    """Where to go on from."""
    more: bool
    """There may be some after that."""


class LineResult(Message):
    """What became of a line."""

    number: int
    good: bool
    """Answered with 200."""
    text: str
    """As it stands in the output or error file."""


class BatchResults(Message):
    """Body of `POST /internal/v1/batches/{batch}/results`: keeps them, and renews the lease."""

    holder: str
    results: list[LineResult] = []
    """`MOST_RESULTS` at most. The first result of a line counts."""
    release: bool = False
    """The holder gives the batch back."""


class BatchOrder(Message):
    """What the holder is to do next."""

    go_on: bool
    """Send more lines; False: let those under way end, and release the batch."""
    abort: bool = False
    """Stop those under way, too."""
