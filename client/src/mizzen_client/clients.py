"""The two clients: every operation of the API as a method, typed."""

import os
from types import TracebackType
from typing import Self

from mizzen_client.async_operations import AsyncOperations
from mizzen_client.operations import Operations
from mizzen_client.transport import AsyncTransport, Connection, Transport


class Mizzen(Operations):
    """Waits for each answer. Use it as a context manager, or call `close`."""

    def __init__(self, url: str, token: str, *, timeout_seconds: float = 30.0, retries: int = 3) -> None:
        super().__init__(Transport(Connection(url, token, timeout_seconds=timeout_seconds, retries=retries)))

    @classmethod
    def from_environment(cls) -> Self:
        """By MIZZEN_CONTROLPLANE_URL and MIZZEN_TOKEN; raises KeyError naming the one that is missing."""
        return cls(os.environ["MIZZEN_CONTROLPLANE_URL"], os.environ["MIZZEN_TOKEN"])

    def close(self) -> None:
        """End its connections."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class AsyncMizzen(AsyncOperations):
    """The same, awaited. Use it as an asynchronous context manager, or await `close`."""

    def __init__(self, url: str, token: str, *, timeout_seconds: float = 30.0, retries: int = 3) -> None:
        super().__init__(AsyncTransport(Connection(url, token, timeout_seconds=timeout_seconds, retries=retries)))

    @classmethod
    def from_environment(cls) -> Self:
        """By MIZZEN_CONTROLPLANE_URL and MIZZEN_TOKEN; raises KeyError naming the one that is missing."""
        return cls(os.environ["MIZZEN_CONTROLPLANE_URL"], os.environ["MIZZEN_TOKEN"])

    async def close(self) -> None:
        """End its connections."""
        await self.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()
