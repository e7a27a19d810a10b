"""How does this gateway hold requests back? What the settings say of it."""

from dataclasses import dataclass

QUEUE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class OverloadRules:
    """Of all deployments."""

    on: bool = True
    """MIZZEN_OVERLOAD is not `off`."""
    replica_requests: int = 0
    """MIZZEN_REPLICA_REQUESTS: requests at once that a replica has at most; 0: as many as are found to be worth it."""
    queue_seconds: float = QUEUE_SECONDS
    """MIZZEN_QUEUE_SECONDS: as many interactive requests wait as are answered in that time."""
