"""What does a caller read whom a model has no room for? Why, whether it is alone in that, and when to try again."""

from mizzen_gateway.overload.priority import BATCH, NAMES
from mizzen_gateway.stages import Refusal


def overloaded(model: str, priority: int, queue_seconds: float, retry_after: int) -> Refusal:
    """503: as many wait as may, those of `queue_seconds`."""
    shed = "" if priority < BATCH else " Batch requests are refused first."
    message = (
        f"Model '{model}' gets more requests than its replicas answer, and as many wait before this {NAMES[priority]}"
        f" one as they answer in {queue_seconds:g} s.{shed} Try again in {retry_after} s, or send fewer at once."
    )
    return Refusal(503, "overloaded", message, (("retry-after", str(retry_after)),))


def share_exceeded(model: str, project: str, retry_after: int) -> Refusal:
    """429: the caller's project is why there is no room, and others wait too."""
    message = (
        f"Model '{model}' gets more requests than its replicas answer, and project '{project}' has as many waiting as"
        f" its share: tokens are shared evenly between the projects that ask. Try again in {retry_after} s, or send"
        " fewer at once."
    )
    return Refusal(429, "fair_share_exceeded", message, (("retry-after", str(retry_after)),))


def waited_in_vain(model: str, seconds: float, retry_after: int) -> Refusal:
    """503: no replica had room in time."""
    message = (
        f"Model '{model}' gets more requests than its replicas answer, and none had room for this one within"
        f" {seconds:g} s. Try again in {retry_after} s, or send fewer at once."
    )
    return Refusal(503, "overloaded", message, (("retry-after", str(retry_after)),))
