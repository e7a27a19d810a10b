"""What can an endpoint picker decide?"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Picked:
    """Endpoints, `address:port`, the best first."""

    endpoints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """The picker wants the request refused."""

    status: int
