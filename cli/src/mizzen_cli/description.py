"""`mizzen describe`: one deployment in words: what it does, since when, what blocks it and what to do."""

from collections.abc import Iterator
from typing import Any

from mizzen_crds.v1alpha1.conditions import REASONS

from mizzen_cli.client import Json
from mizzen_cli.output import age, cell_text, size
from mizzen_cli.rollout_progress import phase_text


def describe_lines(row: Json, events: list[Json]) -> Iterator[str]:
    """Lines of text for a deployment of the REST API and its events, newest first."""
    manifest = row["manifest"]
    status = manifest.get("status") or {}
    yield f"Name:      {row['name']}"
    yield f"Project:   {row.get('project', '')}"
    yield f"Engine:    {manifest['spec']['engine']['type']}"
    yield f"URL:       {status.get('url', '')}"
    yield f"Replicas:  {status.get('readyReplicas', 0)} ready of {status.get('desiredReplicas', 0)} wanted"
    yield from _model(status.get("resolvedModel"))
    yield from _conditions(status.get("conditions", []))
    yield from _revisions(status)
    if phases := phase_text(status):
        yield f"Start-up:  {phases}"
    yield from _failure(status.get("lastFailure"))
    yield from _events(events)


def _model(model: Json | None) -> Iterator[str]:
    if model:
        version = f"version {model['version']}" if model.get("version") else model.get("uri")
        weight = size(model["sizeBytes"]) if model.get("sizeBytes") else ""
        facts = (version, model.get("format"), weight, cell_text(model.get("digest")))
        yield f"Model:     {', '.join(fact for fact in facts if fact)}"


def _conditions(conditions: list[Json]) -> Iterator[str]:
    yield "Conditions:"
    for condition in conditions:
        since = age(condition.get("lastTransitionTime"))
        name, status, reason = condition["type"], condition["status"], condition["reason"]
        yield f"  {name:<20} {status:<8} {reason:<24} {since:>5}  {cell_text(condition['message'])}"
        remedy = REASONS[reason].remedy if reason in REASONS else ""
        if condition["status"] != "True" and remedy and remedy not in condition["message"]:
            yield f"  {'':<20} -> {remedy}"


def _revisions(status: Json) -> Iterator[str]:
    revisions = status.get("revisions", [])
    yield "Revisions:" if revisions else "Revisions: none yet"
    for revision in revisions:
        version = f" (version {revision['modelVersion']})" if revision.get("modelVersion") else ""
        yield (
            f"  {revision['name']}{version}: {revision['state']}, {revision.get('ready', 0)} of "
            f"{revision.get('replicas', 0)} ready, {revision.get('trafficPercent', 0)}% of requests"
        )
    rollout: dict[str, Any] = status.get("rollout") or {}
    if hold := rollout.get("hold"):
        yield f"Rollout:   waits at {hold['gate']}: {hold['reason']}"
    elif rollout.get("strategyInUse"):
        yield f"Rollout:   {rollout['strategyInUse']}. {rollout.get('strategyReason', '')}"


def _failure(failure: Json | None) -> Iterator[str]:
    if failure:
        code = f", exit code {failure['exitCode']}" if failure.get("exitCode") is not None else ""
        yield f"Last failure: {failure['component']}: {failure['reason']}{code}, {age(failure.get('time'))} ago"
        yield from (f"  | {line}" for line in failure.get("message", "").splitlines())
        yield f"  -> {failure.get('remedy', '')}"


def _events(events: list[Json]) -> Iterator[str]:
    yield "Events:" if events else "Events:    none"
    for event in events[:20]:
        times = f" (x{event['count']})" if event.get("count", 1) > 1 else ""
        what = f"{event['type']:<8} {event['reason']:<20} {cell_text(event['message'])}"
        yield f"  {age(event.get('time')):>5}  {what}{times}"
