"""Which addresses and hosts a fetch reaches, and where credentials go."""

from pathlib import Path

import pytest
from mizzen_engines.failure import EngineStartError, ExitCode
from mizzen_engines.fetch.addresses import AddressPolicy, CheckedResolver
from mizzen_engines.fetch.request import Credential, from_environment
from yarl import URL

NOTHING_LISTED = AddressPolicy()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "fe80::1%eth0",
    ],
)
def test_a_private_address_is_refused(address: str) -> None:
    assert not NOTHING_LISTED.allows("host.example", address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert NOTHING_LISTED.allows("host.example", address)


def test_hosts_and_networks_can_be_listed() -> None:
    policy = AddressPolicy.parse("mirror.internal, 10.0.0.0/8")
    assert policy.allows("mirror.internal", "192.168.0.1")
    assert policy.allows("other.internal", "10.9.8.7")
    assert not policy.allows("other.internal", "192.168.0.1")


@pytest.mark.parametrize("url", ["https://169.254.169.254/latest", "https://[::1]/x", "http://host.example/x"])
def test_a_url_to_a_refused_address_or_without_tls_is_refused(url: str) -> None:
    with pytest.raises(EngineStartError) as caught:
        NOTHING_LISTED.check_url(URL(url))
    assert caught.value.code == ExitCode.SOURCE_REFUSED


async def test_a_name_that_leads_to_a_private_address_is_refused() -> None:
    with pytest.raises(EngineStartError, match="MIZZEN_FETCH_ALLOWED_HOSTS"):
        await CheckedResolver(NOTHING_LISTED).resolve("localhost", 443)


async def test_a_listed_name_is_resolved() -> None:
    assert await CheckedResolver(AddressPolicy.parse("localhost")).resolve("localhost", 443)


def test_a_credential_goes_to_its_host_over_tls_and_nowhere_else() -> None:
    credential = Credential("weights.example", {"host": "weights.example", "token": "t0p"})
    assert credential.headers_for(URL("https://weights.example/a")) == {"authorization": "Bearer t0p"}
    assert credential.headers_for(URL("http://weights.example/a")) == {}
    assert credential.headers_for(URL("https://weights.example.evil.example/a")) == {}
    assert credential.headers_for(URL("https://cdn.example/a")) == {}


def test_an_endpoint_off_the_credentials_host_is_refused() -> None:
    values = {"host": "s3.example", "aws_access_key_id": "k", "aws_endpoint": "https://evil.example"}
    with pytest.raises(EngineStartError, match="aws_endpoint"):
        Credential("s3.example", values).store_settings()


def test_a_secret_without_a_host_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0p")
    variables = {"MIZZEN_MODEL_URI": "https://h/x", "MIZZEN_MODEL_DIR": "/m", "MIZZEN_CREDENTIALS_DIR": str(tmp_path)}
    with pytest.raises(EngineStartError, match="lacks the key host"):
        from_environment(variables)
