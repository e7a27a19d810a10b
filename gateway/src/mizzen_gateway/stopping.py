"""What if a request is not over when its gateway has to stop? It is cancelled by a word that tells this from a caller
who left, and its caller is told.
"""

import asyncio
from typing import Final

from mizzen_gateway.stages import Refusal

STOPPING: Final = Refusal(
    503,
    "gateway_stopping",
    "This gateway stops, and the request was not over in time; try again.",
    (("retry-after", "1"),),
)
CUT: Final = "gateway_stopping"
"""Of a cancellation: the gateway's own doing. To be passed to `cancel`."""
LAST_WORDS_SECONDS = 1.0
"""For those words to be written, once the time of a drain is over."""


def is_cut(cancelled: asyncio.CancelledError) -> bool:
    """Not the caller left: this gateway stops."""
    return cancelled.args == (CUT,)
