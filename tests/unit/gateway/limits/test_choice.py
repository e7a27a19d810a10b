"""Which store is named, and what the connection to a Redis makes of answers that come in pieces."""

import asyncio

import pytest
from mizzen_gateway.limits.choice import StoreSettings, name_of, why_unusable, with_password
from mizzen_gateway.limits.redis_connection import RedisAddress, RedisConnection, ServerSaidError, command
from mizzen_gateway.settings import SettingsError, read_settings
from support.gateway import gateway_environment


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("process", None),
        ("redis://host", None),
        ("rediss://user@host:6380/2?ca=/run/ca.crt", None),
        ("postgresql://user@host:5432/limits?pgbouncer=true", None),
        ("memcached://host", "'memcached' is none of process, redis://"),
        ("host:6379", "'host' is none of"),
        ("redis://", "names no host"),
        ("redis://host:port", "port"),
        ("redis://user:secret@one:6379,two:6379", "names several hosts; name one"),
        ("redis+cluster://host", "'redis+cluster' is none of process, redis://"),
    ],
)
def test_an_address_that_names_no_store_is_refused_with_what_may_stand_there(address, fault):
    found = why_unusable(StoreSettings(address))
    assert (found is None) == (fault is None)
    assert fault is None or fault in found


def test_the_password_comes_from_a_file_and_is_in_no_name(tmp_path):
    (tmp_path / "password").write_text("p@ss:w/rd\n")
    environment = gateway_environment(
        tmp_path,
        MIZZEN_LIMITS_STORE="redis://limits@redis.databases:6380/2",
        MIZZEN_LIMITS_STORE_PASSWORD_FILE=str(tmp_path / "password"),
    )
    settings = read_settings(environment).limits
    url = with_password(settings.address, settings.password)
    assert url == "redis://limits:p%40ss%3Aw%2Frd@redis.databases:6380/2"
    address = RedisAddress.of(url)
    assert (address.user, address.password, address.port, address.database) == ("limits", "p@ss:w/rd", 6380, 2)
    assert name_of(url) == name_of("redis://redis.databases:6380/2") == "limits.redis.databases.6380.2"
    with pytest.raises(SettingsError, match="MIZZEN_LIMITS_STORE"):
        read_settings({**environment, "MIZZEN_LIMITS_STORE": "etcd://host"})


async def test_answers_find_their_calls_however_they_are_cut():
    answers = b"+OK\r\n$7\r\na\r\nb c\n\r\n:42\r\n-ERR no\r\n$-1\r\n$0\r\n\r\n"
    for size in (1, 2, 3, 7, len(answers)):
        connection = RedisConnection(asyncio.get_running_loop())
        connection.connection_made(Silent())  # type: ignore[arg-type]  # as much of a transport as is used
        calls = [connection.call(command(b"PING")) for _ in range(6)]
        for start in range(0, len(answers), size):
            connection.data_received(answers[start : start + size])
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert found[:3] == [b"OK", b"a\r\nb c\n", b"42"]
        assert isinstance(found[3], ServerSaidError)
        assert found[4:] == [b"-1", b""]
        connection.connection_lost(None)


class Silent:
    """Takes what is written."""

    def write(self, data: bytes) -> None:
        assert data == b"*1\r\n$4\r\nPING\r\n"
