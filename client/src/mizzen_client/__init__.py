"""The REST API of Mizzen for Python programs: `Mizzen` waits for each answer, `AsyncMizzen` is awaited."""

from typing import TYPE_CHECKING, Any

from mizzen_client.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Invalid,
    MizzenError,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    ServerFailed,
    TooLarge,
    TooManyRequests,
    Unreachable,
)

if TYPE_CHECKING:
    from mizzen_client.clients import AsyncMizzen, Mizzen

__all__ = [
    "ApiError",
    "AsyncMizzen",
    "BadRequest",
    "Conflict",
    "Invalid",
    "Mizzen",
    "MizzenError",
    "NotAuthenticated",
    "NotFound",
    "PermissionDenied",
    "PreconditionFailed",
    "ServerFailed",
    "TooLarge",
    "TooManyRequests",
    "Unreachable",
]


def __getattr__(name: str) -> Any:
    # Whoever wants an error or the transport alone does not load every operation.
    if name in ("AsyncMizzen", "Mizzen"):
        from mizzen_client import clients

        return getattr(clients, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
