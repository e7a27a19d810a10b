"""`mizzen why`: what stands in a deployment's way, and what to do about it, in words."""

from collections.abc import Iterator

from mizzen_cli.client import Json
from mizzen_cli.output import age, cell_text


def cause_lines(name: str, why: Json) -> Iterator[str]:
    """Lines of text for an answer of `/why`."""
    state = {"True": "serves", "False": "does not serve"}.get(why["ready"], "is not known to serve")
    yield f"{name} {state}: {cell_text(why['answer'])}"
    if not why["observed"]:
        yield "  Its newest spec has not been looked at yet."
    for cause in why["causes"]:
        yield f"{cause['condition']} is {cause['status']} for {age(cause['since'])}: {cause['reason']}"
        yield f"  {cell_text(cause['message'])}"
        if cause["remedy"] and cause["remedy"] not in cause["message"]:
            yield f"  -> {cause['remedy']}"
    if hold := why["waits_at"]:
        yield f"The rollout waits at {hold['gate']}: {hold['reason']}"
    if failure := why["last_failure"]:
        yield f"Last failure, {age(failure['time'])} ago: {failure['component']}: {failure['reason']}"
        yield from (f"  | {line}" for line in failure["message"].splitlines())
        yield f"  -> {failure['remedy']}"
    for event in why["warnings"]:
        yield f"Warning, {age(event['time'])} ago: {event['reason']}: {cell_text(event['message'])}"
