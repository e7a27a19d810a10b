"""The gateway speaks TLS itself, takes up a renewed certificate, and says what is wrong with a pair it cannot use."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
from mizzen_gateway import wiring
from mizzen_gateway.wire.certificate import Certificate
from support.gateway import make_snapshot, running_gateway


def write_pair(authority: trustme.CA, folder: Path, *names: str) -> None:
    """A fresh certificate for 127.0.0.1, each file put in its place at once, as a kubelet does; all, or those named."""
    folder.mkdir(exist_ok=True)
    issued = authority.issue_cert("127.0.0.1")
    pair = {"tls.key": issued.private_key_pem.bytes(), "tls.crt": issued.cert_chain_pems[0].bytes()}
    for file in names or pair:
        fresh = folder / f"{file}.new"
        fresh.write_bytes(pair[file])
        fresh.rename(folder / file)


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
    with pytest.raises(wiring.CannotStartError, match=r"MIZZEN_OPERATOR_CA: .* holds no certificate"):
        async with running_gateway(tmp_path, make_snapshot([]), MIZZEN_OPERATOR_CA=str(tmp_path / "none")):
            pass


async def test_a_folder_without_a_pair_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(wiring.CannotStartError, match=r"MIZZEN_TLS_DIR.*tls\.crt and tls\.key"):
        async with running_gateway(tmp_path, make_snapshot([]), MIZZEN_TLS_DIR=str(tmp_path / "none")):
            pass
