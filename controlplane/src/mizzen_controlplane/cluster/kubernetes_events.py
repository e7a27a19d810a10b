"""What do Kubernetes Events say, in the words of the REST API? Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from mizzen_controlplane.cluster.store import Happened

BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)


def happened(events: Iterable[Mapping[str, Any]]) -> list[Happened]:
    """What happened, newest first."""
    return sorted((_told(event) for event in events), key=lambda one: one.last_seen, reverse=True)


def _told(event: Mapping[str, Any]) -> Happened:
    """Of an Event in any of the shapes that writers use: with a series, with the older counters, or with neither."""
    series = event.get("series") or {}
    first = event.get("eventTime") or event.get("deprecatedFirstTimestamp")
    last = series.get("lastObservedTime") or event.get("deprecatedLastTimestamp") or first
    made = event["metadata"].get("creationTimestamp")
    return Happened(
        type=str(event.get("type") or "Normal"),
        reason=str(event.get("reason") or ""),
        message=str(event.get("note") or ""),
        first_seen=_moment(first or made),
        last_seen=_moment(last or made),
        count=int(series.get("count") or event.get("deprecatedCount") or 1),
    )


def _moment(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else BEFORE_ALL
