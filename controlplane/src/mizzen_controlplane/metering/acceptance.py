"""Which events can the ledger never take? Those that would be wrong for ever; the others of a batch go in."""

from collections.abc import Collection, Sequence
from datetime import UTC, timedelta
from operator import attrgetter, gt
from typing import Final

from mizzen_crds.usage import RefusedEvent, UsageEvent

MAX_TOKENS: Final = 10**12
MAX_ACCELERATOR_MS: Final = 10**12
MAX_COST_PICO: Final = 10**17
"""100,000 units of the currency for one request."""
_MAX_TEXT: Final = {
    "request_id": 64, "key_id": 64, "model": 127, "deployment": 63, "revision": 63, "operation": 63,
    "rate_card_id": 64, "gateway": 253,
}  # fmt: skip
MAX_BUDGETS: Final = 30
_TEXTS_OF: Final = attrgetter(*_MAX_TEXT)
_TEXT_LIMITS: Final = tuple(_MAX_TEXT.values())
_NO_OFFSET: Final = timedelta()


def sorted_out(
    events: Sequence[UsageEvent], projects: Collection[str], currency: str
) -> tuple[list[UsageEvent], list[RefusedEvent]]:
    """Events to take, in UTC, and those refused."""
    taken: list[UsageEvent] = []
    refused: list[RefusedEvent] = []
    for event in events:
        found = _objection(event, projects, currency)
        if found is None:
            taken.append(event if event.started_at.utcoffset() == _NO_OFFSET else _in_utc(event))
        else:
            code, detail = found
            refused.append(
                RefusedEvent(
                    project_id=event.project_id[:64], request_id=event.request_id[:64], code=code, detail=detail
                )
            )
    return taken, refused


def _in_utc(event: UsageEvent) -> UsageEvent:
    return event.model_copy(update={"started_at": event.started_at.astimezone(UTC)})


def _objection(event: UsageEvent, projects: Collection[str], currency: str) -> tuple[str, str] | None:
    if event.project_id not in projects:
        return "unknown_project", (
            f"project_id {event.project_id[:64]!r} is no project of this installation: the event belongs to another "
            "one, or was kept from before a restore"
        )
    if event.currency != currency:
        return "wrong_currency", f"currency is {event.currency[:8]!r}, this organization's is {currency}"
    wrong = _out_of_range(event)
    return ("out_of_range", wrong) if wrong else None


def _out_of_range(event: UsageEvent) -> str:
    if event.started_at.tzinfo is None:
        return "started_at has no time zone: send UTC, such as 2026-03-01T12:00:00Z"
    for part, whole, of in (
        (event.input_tokens, MAX_TOKENS, "input_tokens"),
        (event.output_tokens, MAX_TOKENS, "output_tokens"),
    ):
        if not 0 <= part <= whole:
            return f"{of} is {part}, it must be from 0 to {whole}"
    if not 0 <= event.cached_tokens <= event.input_tokens:
        return f"cached_tokens is {event.cached_tokens}, it must be from 0 to input_tokens, {event.input_tokens}"
    if not 0 <= event.reasoning_tokens <= event.output_tokens:
        return (
            f"reasoning_tokens is {event.reasoning_tokens}, it must be from 0 to output_tokens, {event.output_tokens}"
        )
    if not 0 <= event.accelerator_ms <= MAX_ACCELERATOR_MS:
        return f"accelerator_ms is {event.accelerator_ms}, it must be from 0 to {MAX_ACCELERATOR_MS}"
    if event.response_cache_hit and (event.input_tokens or event.output_tokens):
        return "response_cache_hit is true, so input_tokens and output_tokens must be 0: no engine used any"
    if not 0 <= event.cost_pico <= MAX_COST_PICO:
        return f"cost_pico is {event.cost_pico}, it must be from 0 to {MAX_COST_PICO}"
    if not 100 <= event.status <= 599:
        return f"status is {event.status}, it must be from 100 to 599"
    texts = _TEXTS_OF(event)
    if any(map(gt, map(len, texts), _TEXT_LIMITS)) or "\0" in "".join(texts):
        return _text_too_long(texts)
    if len(event.budget_ids) > MAX_BUDGETS or any(len(name) > 64 for name in event.budget_ids):
        return f"budget_ids names {len(event.budget_ids)} budgets, it may name {MAX_BUDGETS} of 64 characters"
    return ""


def _text_too_long(texts: Sequence[str]) -> str:
    name, text = next(
        (name, text) for name, text in zip(_MAX_TEXT, texts, strict=True) if len(text) > _MAX_TEXT[name] or "\0" in text
    )
    return f"{name} has {len(text)} characters, it may have {_MAX_TEXT[name]} and no NUL"
