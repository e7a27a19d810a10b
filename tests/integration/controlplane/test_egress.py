"""The way out: only for this process, only to where it may lead, and to the very address that was checked."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import httpx
import pytest
import structlog
from mizzen_controlplane.egress.policy import RefusedError, policy_of
from mizzen_controlplane.egress.proxy import EgressProxy, WayOut
from mizzen_controlplane.egress.resolution import resolver_of
from support.changing_names import changing_names, site

SECOND = "127.0.0.2/32"
"""Stands for the network outside: trusted here, while 127.0.0.1 is refused as any private address."""


@asynccontextmanager
async def a_proxy(trusted: str = "", only: str = "", names: int = 0) -> AsyncIterator[EgressProxy]:
    proxy = EgressProxy(policy_of(trusted, only), resolver_of(f"127.0.0.1:{names}" if names else ""))
    async with proxy.listening():
        yield proxy


async def fetched(way: WayOut, url: str) -> httpx.Response:
    async with httpx.AsyncClient(proxy=way.proxy_url, trust_env=False, follow_redirects=True) as client:
        return await client.get(url)


async def test_a_name_that_changes_its_address_cannot_lead_elsewhere_after_the_check() -> None:
    async with (
        changing_names(rebound=["127.0.0.2", "127.0.0.1"]) as names,
        site("127.0.0.2") as outside,
        site("127.0.0.1", outside.port) as inside,
        a_proxy(SECOND, names=names.port) as proxy,
    ):
        # The port has to be trusted by name; the address is judged by its network all the same.
        url = f"http://127.0.0.2:{outside.port}/"
        with proxy.way_out("op_1") as way:
            assert (await fetched(way, url)).text == "hello"
            policy, resolve = proxy.policy, resolver_of(f"127.0.0.1:{names.port}")
            assert [str(a) for a in policy.checked("rebound.test", 443, await resolve("rebound.test"))] == ["127.0.0.2"]
            with pytest.raises(RefusedError, match=r"rebound\.test leads to 127\.0\.0\.1"):
                policy.checked("rebound.test", 443, await resolve("rebound.test"))
        assert names.asked == ["rebound.test"] * 2
        assert len(outside.heads) == 1
        assert inside.heads == []


async def test_the_connection_goes_to_the_address_that_was_checked_and_the_name_is_asked_once() -> None:
    async with (
        changing_names(moving=["127.0.0.2", "127.0.0.1"]) as names,
        site("127.0.0.2") as first,
        site("127.0.0.1", first.port) as second,
        a_proxy(f"moving.test:{first.port}", names=names.port) as proxy,
    ):
        with proxy.way_out("op_1") as way:
            assert (await fetched(way, f"http://moving.test:{first.port}/")).text == "hello"
        assert (names.asked, len(first.heads), second.heads) == (["moving.test"], 1, [])


async def test_a_redirect_is_a_new_request_and_checked_as_one() -> None:
    with structlog.testing.capture_logs() as logs:
        leading = {"/away?token=s3cret": "http://169.254.169.254/latest/meta-data/"}
        async with site("127.0.0.2", redirects=leading) as outside, a_proxy(SECOND) as proxy:
            with proxy.way_out("op_7") as way:
                refused = await fetched(way, f"http://127.0.0.2:{outside.port}/away?token=s3cret")
    assert refused.status_code == 403
    assert "169.254.169.254" in refused.text
    assert refused.text == way.last_refusal
    told = [(line["transfer"], line["host"], line["outcome"]) for line in logs if line["event"] == "egress"]
    assert told == [("op_7", "127.0.0.2", "done"), ("op_7", "169.254.169.254", "not_tls")]
    assert "s3cret" not in str(logs)
    assert way.allowed.secret not in str(logs)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "168.63.129.16", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1", "017700000001", "127.0.0.1.", "localhost",
     "[::1]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
     "[::127.0.0.1]", "[fe80::1]", "[fd00::1]", "[ff02::1]", "[fec0::1]"],
)  # fmt: skip
async def test_no_form_of_a_private_address_is_reached(host: str) -> None:
    async with a_proxy() as proxy:
        with proxy.way_out("op_1") as way:
            address = urlsplit(way.proxy_url)
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            secret = base64.b64encode(way.allowed.secret.encode()).decode()
            writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nProxy-Authorization: Basic {secret}\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert way.last_refusal.encode() in answer


@pytest.mark.parametrize(
    ("url", "why"),
    [("http://example.test/", "only https"), ("https://example.test:22/", "only port 443"),
     ("https://other.org/", "MIZZEN_EGRESS_ONLY")],
)  # fmt: skip
async def test_only_tls_on_its_port_to_listed_hosts_goes_out(url: str, why: str) -> None:
    async with a_proxy(only="*.test") as proxy:
        # A refused CONNECT raises; a refused GET is an answer.
        with proxy.way_out("op_1") as way, suppress(httpx.ProxyError):
            await fetched(way, url)
        assert why in way.last_refusal


async def test_who_has_no_valid_pass_gets_nothing() -> None:
    async with site("127.0.0.2") as outside, a_proxy(SECOND) as proxy:
        url = f"http://127.0.0.2:{outside.port}/"
        with proxy.way_out("op_1") as way:
            nobody = way.proxy_url.replace(way.allowed.secret, "a:b")
            for given in (nobody, way.proxy_url.replace(way.allowed.secret + "@", "")):
                async with httpx.AsyncClient(proxy=given, trust_env=False) as client:
                    assert (await client.get(url)).status_code == 407
        assert (await fetched(way, url)).status_code == 407, "the transfer is over"
        assert outside.heads == []


@pytest.mark.parametrize("secret", ["", "not-the-secret"])
async def test_a_refusal_of_head_is_a_head_alone(secret: str) -> None:
    async with a_proxy() as proxy:
        with proxy.way_out("op_1") as way:
            address = urlsplit(way.proxy_url)
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            given = base64.b64encode((secret or way.allowed.secret).encode()).decode()
            writer.write(f"HEAD http://127.0.0.1/ HTTP/1.1\r\nProxy-Authorization: Basic {given}\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
    assert head.startswith(b"HTTP/1.1 407 " if secret else b"HTTP/1.1 403 ")
    assert (b"Content-Length: " in head, body) == (True, b"")


async def test_a_transfer_gets_no_more_bytes_and_time_than_its_pass_says() -> None:
    async with site("127.0.0.2", body=b"x" * 500_000) as outside, a_proxy(SECOND) as proxy:
        url = f"http://127.0.0.2:{outside.port}/"
        with proxy.way_out("op_1", most_bytes=600_000) as way:
            assert len((await fetched(way, url)).content) == 500_000
            with pytest.raises(httpx.RemoteProtocolError):
                await fetched(way, url)
            assert "used up the bytes" in way.last_refusal
            assert (await fetched(way, url)).status_code == 403
        with proxy.way_out("op_2", seconds=0) as late:
            assert "used up the time" in (await fetched(late, url)).text


async def test_a_server_never_sees_what_is_meant_for_the_proxy() -> None:
    async with site("127.0.0.2") as outside, a_proxy(SECOND) as proxy:
        with proxy.way_out("op_1") as way:
            await fetched(way, f"http://127.0.0.2:{outside.port}/a?b=c")
        assert outside.heads[0].startswith("GET /a?b=c HTTP/1.1\r\n")
        assert "proxy-" not in outside.heads[0].lower()
