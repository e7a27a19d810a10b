"""The gateway speaks TLS itself, takes up a renewed certificate, and says what is wrong with a pair it cannot use."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
from mizzen_gateway import wiring
from mizzen_gateway.errors import CannotStartError
from mizzen_kube.tls_secret import Certificate
from support.gateway import make_snapshot, running_gateway
from support.tls_pair import write_pair
from support.until import until


async def answered(port: int, authority: trustme.CA) -> tuple[bytes, str]:
    """First line of the answer to a health request, and the serial number of the certificate that was shown."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown: Mapping[str, Any] = writer.get_extra_info("peercert")
    writer.write(b"GET /v2/health/live HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
    line = await reader.readline()
    writer.close()
    return line, str(shown["serialNumber"])


async def greeted(certificate: Certificate, authority: trustme.CA) -> bool:
    """Whether a caller who trusts the authority comes through."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=certificate.context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        writer.close()
    return True


async def test_callers_are_served_over_tls_and_a_renewed_certificate_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "CERTIFICATE_SECONDS", 0.05)
    authority, pair = trustme.CA(), tmp_path / "tls"
    write_pair(authority, pair)
    async with running_gateway(tmp_path, make_snapshot([]), MIZZEN_TLS_DIR=str(pair)) as running:
        line, first = await answered(running.gateway.port, authority)
        assert line == b"HTTP/1.1 200 OK\r\n"
        write_pair(authority, pair)
        async with asyncio.timeout(20):
            while (await answered(running.gateway.port, authority))[1] == first:
                continue


@pytest.mark.parametrize("renewed", ["tls.crt", "tls.key"])
async def test_a_half_renewed_pair_leaves_the_old_one_in_use(tmp_path: Path, renewed: str) -> None:
    authority = trustme.CA()
    write_pair(authority, tmp_path)
    certificate = Certificate(tmp_path)
    write_pair(authority, tmp_path, renewed)
    assert certificate.renew() is False
    assert await greeted(certificate, authority)
    write_pair(authority, tmp_path)
    assert certificate.renew() is True
    assert certificate.renew() is False


async def test_a_file_that_holds_no_authority_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match=r"MIZZEN_OPERATOR_CA: .* holds no certificate"):
        async with running_gateway(tmp_path, make_snapshot([]), MIZZEN_OPERATOR_CA=str(tmp_path / "none")):
            pass


HEALTH = b"GET /v2/health/live HTTP/1.1\r\nHost: gateway\r\n\r\n"


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """First line of the answer to a health request on a connection that is kept."""
    writer.write(HEALTH)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
    return head.split(b"\r\n")[0]


def more_than(seen: set[str], count: int) -> bool:
    return len(seen) > count


async def test_a_renewal_drops_no_connection_and_refuses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "CERTIFICATE_SECONDS", 0.05)
    authority, pair, lines = trustme.CA(), tmp_path / "tls", Counter[bytes]()
    write_pair(authority, pair)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with running_gateway(tmp_path, make_snapshot([]), MIZZEN_TLS_DIR=str(pair)) as running:
        port, serials = running.gateway.port, set[str]()

        async def keep_asking() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
            while len(serials) < 4:
                lines[await ask(reader, writer)] += 1
            writer.close()

        async def keep_coming() -> None:
            while len(serials) < 4:
                line, serial = await answered(port, authority)
                lines[line.strip()] += 1
                serials.add(serial)

        async def keep_renewing() -> None:
            for seen in (1, 2, 3):
                await until(partial(more_than, serials, seen - 1), 20)
                write_pair(authority, pair)

        await asyncio.gather(keep_asking(), keep_asking(), keep_coming(), keep_coming(), keep_renewing())
    assert set(lines) == {b"HTTP/1.1 200 OK"}
    assert len(serials) == 4


def session_of(
    port: int, trusting: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLSession, bool]:
    """Ask once; the session that came of it, and whether it went on with `session`."""
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        trusting.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as caller,
    ):
        caller.sendall(HEALTH)
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert caller.session is not None
        return caller.session, bool(caller.session_reused)


async def test_a_caller_that_comes_again_shakes_hands_in_short(tmp_path: Path) -> None:
    authority, pair = trustme.CA(), tmp_path / "tls"
    write_pair(authority, pair)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with running_gateway(tmp_path, make_snapshot([]), MIZZEN_TLS_DIR=str(pair)) as running:
        first, reused = await asyncio.to_thread(session_of, running.gateway.port, trusting)
        assert not reused
        _, reused = await asyncio.to_thread(session_of, running.gateway.port, trusting, first)
        assert reused


async def test_a_handshake_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    authority, pair = trustme.CA(), tmp_path / "tls"
    write_pair(authority, pair)
    settings = {"MIZZEN_TLS_DIR": str(pair), "MIZZEN_HEADER_TIMEOUT_SECONDS": "0.5"}
    async with running_gateway(tmp_path, make_snapshot([]), **settings) as running:
        for hello in (b"", b"\x16\x03\x01\x02\x00\x01"):
            reader, writer = await asyncio.open_connection("127.0.0.1", running.gateway.port)
            writer.write(hello)
            async with asyncio.timeout(20):
                with suppress(ConnectionError):
                    await reader.read()
            writer.close()
        assert (await answered(running.gateway.port, authority))[0] == b"HTTP/1.1 200 OK\r\n"


async def test_a_folder_without_a_pair_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match=r"MIZZEN_TLS_DIR.*tls\.crt and tls\.key"):
        async with running_gateway(tmp_path, make_snapshot([]), MIZZEN_TLS_DIR=str(tmp_path / "none")):
            pass
