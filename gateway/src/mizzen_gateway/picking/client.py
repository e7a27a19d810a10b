"""How is an endpoint picker asked? One stream of ext_proc for each request, given up after a moment.

Fail-open, on purpose: where no picker answers in time, the gateway chooses by load, since a request that is answered by
the second-best endpoint is better than one that is refused.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence

import grpc
import structlog

from mizzen_gateway.picking.decisions import Picked, TurnedAway
from mizzen_gateway.picking.messages import read_response, request_body, request_headers
from mizzen_gateway.protocols.open_inference.grpc.fields import MalformedMessageError

METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
PICK_SECONDS = 0.5
DEFAULT_PORT = "9002"
"""As the reference implementation's."""
REFERENCE = re.compile(r"([a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)(?::([0-9]{1,5}))?\Z")

log = structlog.get_logger(__name__)


class EndpointPickers:
    """The pickers of all deployments; each has one connection."""

    def __init__(self, host: str) -> None:
        """`host` is where a Service is found, with `{service}` and `{namespace}`."""
        self._host = host
        self._channels: dict[str, grpc.aio.Channel] = {}
        self.failures = 0
        """Requests for which no picker answered, and that went by load."""

    def address(self, reference: str, namespace: str) -> str | None:
        """Where `service[:port]` of a namespace is; None where it is no such reference."""
        found = REFERENCE.match(reference)
        if found is None:
            return None
        return f"{self._host.format(service=found[1], namespace=namespace)}:{found[2] or DEFAULT_PORT}"

    async def pick(
        self, reference: str, namespace: str, headers: Iterable[tuple[str, str]], body: bytes, subset: Sequence[str]
    ) -> Picked | TurnedAway | None:
        """What the picker decides about a request; None where it does not answer."""
        address = self.address(reference, namespace)
        problem = "spec.routing.endpointPickerRef is not service[:port]"
        if address is not None:
            try:
                async with asyncio.timeout(PICK_SECONDS):
                    found = await self._ask(address, request_headers(headers, subset), request_body(body))
            except (grpc.aio.AioRpcError, TimeoutError, MalformedMessageError) as error:
                found, problem = None, f"{type(error).__name__}: {error}"[:300]
            if found is not None:
                return found
        self.failures += 1
        if self.failures & (self.failures - 1) == 0:  # 1, 2, 4, 8, ...: a picker that is away fills no log
            log.warning("endpoint picker did not choose", picker=reference, namespace=namespace, problem=problem)
        return None

    async def _ask(self, address: str, *messages: bytes) -> Picked | TurnedAway | None:
        call: grpc.aio.StreamStreamCall[bytes, bytes] = self._channel(address).stream_stream(METHOD)()
        try:
            for message in messages:
                await call.write(message)
            async for response in call:
                found = read_response(response)
                if found is not None:
                    return found
        finally:
            call.cancel()
        return None

    def _channel(self, address: str) -> grpc.aio.Channel:
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = grpc.aio.insecure_channel(address)
        return channel

    async def close(self) -> None:
        """End all connections."""
        for channel in self._channels.values():
            await channel.close()
