"""An endpoint picker: a real gRPC server of Envoy's ext_proc that answers as a test says."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from support import ext_proc_messages as official
from support.ext_proc_messages import FIRST

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"


@dataclass
class PickerDouble:
    """Keeps what it was told; `answer` gives the messages that it says once the body has come."""

    answer: Callable[[], list[bytes]]
    port: int = 0
    heard: list[bytes] = field(default_factory=list)

    async def process(self, requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
        """One stream: headers, then the body."""
        count = 0
        async for message in requests:
            self.heard.append(message)
            count += 1
            if count == 2:
                for said in self.answer():
                    yield said


def picks(address: tuple[str, int]) -> list[bytes]:
    """The official answer that names an endpoint; ports have five digits here."""
    named = "{}:{}".format(*address)
    assert len(named) == len(FIRST), named
    raw = bytes.fromhex(official.BY_HEADERS)
    return [bytes.fromhex(official.NOTHING), raw.replace(FIRST.encode(), named.encode())]


@asynccontextmanager
async def endpoint_picker(answer: Callable[[], list[bytes]]) -> AsyncIterator[PickerDouble]:
    """Start one on a free port."""
    picker = PickerDouble(answer)
    server = grpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(picker.process)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Process": handler}),))
    picker.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield picker
    finally:
        await server.stop(None)
