"""Whose bytes are those that came on a connection and are no whole message? Decided look by look."""

from collections.abc import Callable

from mizzen_gateway.protocols.open_inference.grpc.unfinished import WINDOW, Connection, Reader, Unfinished
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.limits import WireLimits
from mizzen_gateway.wire.receiving import Receiving

MIB = 1 << 20
SECONDS, RATE = 30.0, 64 * 1024
LIMITS = WireLimits(body_bytes=8 * MIB, receiving_bytes=16 * MIB)


class Scene:
    """One connection, whose bytes a test says."""

    def __init__(self) -> None:
        self.received, self.now = 0, 1000.0
        self.receiving = Receiving(LIMITS)
        self.unfinished = Unfinished(self, self.receiving, SECONDS, RATE)
        self.connection: Connection = self.unfinished.connection("ipv4:10.0.0.1:1")
        self.told: dict[str, str] = {}

    def of(self, _peer: str) -> int:
        """As the system would say."""
        return self.received

    def stream(self, name: str, key_id: str = "k") -> Reader:
        """One more."""
        return self.unfinished.reader(self.connection, key_id, self._teller(name))

    def _teller(self, name: str) -> Callable[[Refusal], None]:
        def tell(why: Refusal) -> None:
            self.told[name] = why.code

        return tell

    def look(self, seconds: float = 1.0, more: int = 0) -> None:
        """So many bytes came until then."""
        self.received, self.now = self.received + more, self.now + seconds
        self.unfinished._weigh(self.connection, self.received, self.now)


async def test_what_is_less_than_a_window_is_nothing_for_as_long_as_it_likes() -> None:
    scene = Scene()
    scene.stream("a")
    for _ in range(100):
        scene.look(3600, more=1000)  # pings
    scene.look(3600, more=WINDOW // 2)
    assert (scene.told, scene.receiving.held) == ({}, 0)


async def test_a_message_has_time_by_its_size_but_none_without_a_byte() -> None:
    scene = Scene()
    scene.stream("slow")
    for _ in range(60):
        scene.look(1, more=2 * RATE)
    assert (scene.told, scene.receiving.held) == ({}, 120 * RATE - 60 * 4 + 4)
    scene.look(SECONDS + 1)
    assert scene.told == {"slow": "request_timeout"}


async def test_a_message_that_comes_too_slowly_ends_when_its_time_is_over() -> None:
    scene = Scene()
    scene.stream("slow")
    scene.look(1, more=3 * RATE)
    began = scene.now
    while not scene.told and scene.now < began + 60:
        scene.look(1, more=2048)
    assert SECONDS + 3 < scene.now - began < SECONDS + 6


async def test_of_two_the_last_one_ends_and_the_first_has_its_time_again() -> None:
    scene = Scene()
    scene.stream("first")
    last = scene.stream("last")
    scene.look(1, more=MIB)
    scene.look(SECONDS + 1)
    assert scene.told == {"last": "request_timeout"}
    scene.unfinished.over(last)
    scene.look(1)
    assert scene.receiving.held > MIB - WINDOW, "it may be the first one's"
    assert list(scene.told) == ["last"]
    scene.look(SECONDS + 1)
    assert list(scene.told) == ["last", "first"]


async def test_what_a_stream_of_another_key_had_is_not_laid_to_this_one() -> None:
    scene = Scene()
    scene.stream("idle", "other")
    scene.stream("stuck")
    scene.look(1, more=MIB)
    scene.unfinished.over(next(one for one in scene.connection.readers if one.key_id == "k"))
    scene.look(1)
    assert scene.receiving.held == 0
    scene.look(1000)
    assert scene.told == {}


async def test_messages_of_one_stream_are_not_laid_to_another_on_its_connection() -> None:
    scene = Scene()
    scene.stream("idle")
    busy = scene.stream("busy")
    for _ in range(1000):
        scene.unfinished.came(busy, MIB)
        scene.look(0.05, more=MIB + MIB // 1800 + 200)
    assert (scene.told, scene.receiving.held) == ({}, 0)
