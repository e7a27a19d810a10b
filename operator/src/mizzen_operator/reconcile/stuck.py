"""Would a new process do what this one does not? Where passes neither end nor begin, although nothing holds them up."""

from typing import Any, Final

from mizzen_operator.reconcile.keyed_queue import KeyedQueue

STUCK_SECONDS: Final = 300.0
"""A change waits for so long and no pass at all comes to an end."""
LONGEST_PASS_SECONDS: Final = 900.0
"""Each request of a pass has a limit of its own; a pass that takes longer waits for something that will not come."""


def stuck(queue: KeyedQueue[Any], led_seconds: float) -> str:
    """Return why a restart would help; empty where it would not.

    `led_seconds` is for how long this process has held the lease without a gap: before that nothing was to be done.
    Ask only while the API server answers: without it, nobody gets on.
    """
    waited, taken = min(queue.stuck_seconds(), led_seconds), min(queue.longest_pass_seconds(), led_seconds)
    if waited > STUCK_SECONDS:
        return f"changes wait, and no pass has ended for {waited:.0f} s although the API server answers"
    if taken > LONGEST_PASS_SECONDS:
        return f"a pass has not ended for {taken:.0f} s although the API server answers"
    return ""
