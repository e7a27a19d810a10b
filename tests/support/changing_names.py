"""A DNS server whose answers change from one question to the next, and a web server that counts who comes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset


@dataclass
class Names(asyncio.DatagramProtocol):
    """Answers questions for A records: the next of a name's addresses each time, the last one for ever."""

    addresses: dict[str, list[str]]
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One question."""
        question = dns.message.from_wire(data)
        name = question.question[0].name.to_text(omit_final_dot=True)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA | dns.flags.RA
        if question.question[0].rdtype == dns.rdatatype.A and name in self.addresses:
            self.asked.append(name)
            left = self.addresses[name]
            now = left.pop(0) if len(left) > 1 else left[0]
            answer.answer.append(dns.rrset.from_text(question.question[0].name, 0, "IN", "A", now))
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def changing_names(**addresses: Sequence[str]) -> AsyncIterator[Names]:
    """The server; keyword `rebound` answers for `rebound.test`."""
    names = Names({f"{name}.test": list(told) for name, told in addresses.items()})
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: names, ("127.0.0.1", 0))
    names.port = transport.get_extra_info("sockname")[1]
    try:
        yield names
    finally:
        transport.close()


@dataclass
class Site:
    """A web server: paths of `redirects` lead elsewhere, all others answer `body`."""

    body: bytes = b"hello"
    redirects: dict[str, str] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        target = self.redirects.get(head.split(" ")[1])
        first = f"HTTP/1.1 302 Found\r\nLocation: {target}" if target else "HTTP/1.1 200 OK"
        body = b"" if target else self.body
        writer.write(f"{first}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        writer.close()


@asynccontextmanager
async def site(address: str = "127.0.0.1", port: int = 0, **fields: object) -> AsyncIterator[Site]:
    """The server, running."""
    made = Site(**fields)  # type: ignore[arg-type]  # the fields of a Site
    server = await asyncio.start_server(made.serve, address, port)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
