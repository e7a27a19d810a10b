"""How many bytes of messages that are not whole yet are held, on which connection, and which of them end their calls?

gRPC holds what has come of a message and does not say how much that is. The system knows how much has come on a
connection, and what of it was whole messages is known here: the rest is counted among the bodies on their way, with
those of HTTP. Of several calls on one connection nobody can tell whose it is: the one that was begun last goes first.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.receiving import Receiving

LOOK_SECONDS = 0.05
"""Between two looks, while a message is awaited: what may come within is beyond the bound."""
WINDOW = 128 * 1024
"""A call may have so much lying there between two messages, uncounted: the window of its stream, and room for what is
no message."""
BESIDE, SHARE_BESIDE = 512, 400
"""Bytes that come with a message beside it: the header of its call; and one of so many, of frames and TLS."""
TRICKLE = 4.0
"""Bytes per second that come for no call: answers to pings, and pings."""
STEP = 1024
"""Less than that in `seconds` is nothing."""
MOST_CONNECTIONS = 1024
"""Known at once; of one that was forgotten the system is asked anew."""
LATE = Refusal(408, "request_timeout", "Message: took too long to arrive; send it at once.")
NEVER = 0.0


class Counts(Protocol):
    """The system's word on connections."""

    def of(self, peer: str) -> int | None:
        """Bytes that have come on a connection, ever; None where nobody knows."""
        ...


class Connection:
    """What is known of one."""

    __slots__ = ("base", "charged", "key_id", "last", "looked_at", "peer", "readers", "whole")

    def __init__(self, peer: str, received: int | None) -> None:
        self.peer = peer
        self.whole = 0.0
        """Bytes of messages that came whole, and of what came beside them."""
        self.base: float = received or 0
        """What `received - whole` was when nothing was awaited."""
        self.last = received or 0
        """What had been received at the last look."""
        self.looked_at = NEVER
        self.readers: dict[Reader, None] = {}
        """The one whose message was asked for last is the last."""
        self.charged, self.key_id = 0, ""
        """Bytes, and of whose key."""


class Reader:
    """A call whose message is awaited, or one message after the other."""

    __slots__ = (
        "base", "begun_at", "connection", "end", "ended", "fresh", "grown_at", "held", "key_id", "mark", "timed",
    )  # fmt: skip

    def __init__(self, connection: Connection, key_id: str, end: Callable[[Refusal], None], timed: bool) -> None:
        self.connection, self.key_id, self.end = connection, key_id, end
        self.timed = timed
        self.ended = False
        """It was told to; until it is over what has come for it counts."""
        """It has no deadline of its own."""
        self.base = connection.base
        if connection.readers:
            self.base = max(self.base, connection.last - connection.whole)
        self.held = 0
        """Bytes that may be of its message, at most."""
        self.begun_at = self.grown_at = NEVER
        self.mark = 0
        self.fresh = False
        """A message of it has come since the last look: what is held has come since then, too."""


class Unfinished:
    """Of one listener."""

    def __init__(self, counts: Counts, receiving: Receiving, seconds: float, rate: float) -> None:
        """A message has `seconds`, and one more for each `rate` bytes of it, but `seconds` at most without any."""
        self._counts, self._receiving, self._seconds, self._rate = counts, receiving, seconds, rate
        self._loop = asyncio.get_running_loop()
        self._connections: OrderedDict[str, Connection] = OrderedDict()
        self._read: dict[Connection, None] = {}
        """Those with readers."""
        self._timer: asyncio.TimerHandle | None = None

    def connection(self, peer: str) -> Connection:
        """Asked for at each call, before anything of it is read."""
        found = self._connections.get(peer)
        if found is None:
            found = self._connections[peer] = Connection(peer, self._counts.of(peer))
            if len(self._connections) > MOST_CONNECTIONS:
                self._forget()
        return found

    def _forget(self) -> None:
        for peer, one in self._connections.items():
            if not one.readers:
                del self._connections[peer]
                return

    def reader(
        self, connection: Connection, key_id: str, end: Callable[[Refusal], None], *, timed: bool = True
    ) -> Reader:
        """A call awaits messages from now on; `end` is told, once, why it must not go on."""
        made = Reader(connection, key_id, end, timed)
        connection.readers[made] = None
        self._read[connection] = None
        if self._timer is None:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
        return made

    def beside(self, peer: str, header_bytes: int = 0) -> None:
        """A call came of which no message is read; or one with a long header."""
        found = self._connections.get(peer)
        if found is not None:
            found.whole += BESIDE + header_bytes

    def came(self, reader: Reader, size: int) -> None:
        """A message of it is whole, and the next one is awaited."""
        whole(reader.connection, size)
        reader.fresh = True
        readers = reader.connection.readers
        if reader in readers:
            del readers[reader]
            readers[reader] = None

    def over(self, reader: Reader) -> None:
        """Nothing more is awaited. What had come for it is thrown away, which nobody sees: others of its key are not
        believed to have had none of it."""
        connection = reader.connection
        if reader not in connection.readers:
            return
        del connection.readers[reader]
        if connection.readers:
            for other in connection.readers:
                if other.key_id != reader.key_id:
                    other.base += reader.held
        else:
            self._rest(connection)

    def broken(self, connection: Connection) -> None:
        """A message that was awaited by no reader does not come any more."""
        if not connection.readers:
            self._rest(connection)

    def _rest(self, connection: Connection) -> None:
        """Nothing is awaited on it: what has come so far is over."""
        self._read.pop(connection, None)
        self._charge(connection, 0, "")
        connection.looked_at = NEVER
        received = self._counts.of(connection.peer)
        if received is None:
            self._connections.pop(connection.peer, None)
        else:
            connection.last, connection.base = received, received - connection.whole

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        for connection in list(self._read):
            received = self._counts.of(connection.peer)
            if received is not None:  # else it has ended, or nobody knows
                self._weigh(connection, received, now)
        if self._read:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)

    def _weigh(self, connection: Connection, received: int, now: float) -> None:
        if connection.looked_at:
            connection.whole += TRICKLE * (now - connection.looked_at)
        level, since = received - connection.whole, received - connection.last
        connection.last, connection.looked_at = received, now
        most: Reader | None = None
        for reader in connection.readers:
            held = level - reader.base
            if reader.fresh:
                reader.fresh, held = False, min(held, float(since))
                reader.base, reader.begun_at = level - held, NEVER
            if held < 0:
                reader.base, held = level, 0
            reader.held = int(held)
            if most is None or reader.held >= most.held:
                most = reader
        charged = 0 if most is None or most.held <= WINDOW else most.held
        full = self._charge(connection, charged, "" if most is None else most.key_id)
        goes: tuple[Reader, Refusal] | None = None
        for reader in connection.readers:
            why = self._late(reader, now) or (full if reader.held > WINDOW else None)
            if why is not None and not reader.ended:
                goes = reader, why
        if goes is not None:
            reader, why = goes
            for other in connection.readers:
                other.begun_at = NEVER  # maybe it was not this one's: it has its time again
            reader.ended = True
            reader.end(why)

    def _late(self, reader: Reader, now: float) -> Refusal | None:
        held = reader.held
        if held <= WINDOW or not reader.timed:
            reader.begun_at = NEVER
            return None
        if reader.begun_at == NEVER:
            reader.begun_at, reader.mark = now, 0
        if held >= reader.mark + STEP:
            reader.mark, reader.grown_at = held, now
        late = now > reader.begun_at + self._seconds + held / self._rate or now > reader.grown_at + self._seconds
        return LATE if late else None

    def _charge(self, connection: Connection, held: int, key_id: str) -> Refusal | None:
        """Count what is held now; or why it is too much."""
        before, connection.charged = connection.charged, held
        if connection.key_id != key_id and before:
            self._receiving.shrink(connection.key_id, before)
            before = 0
        connection.key_id = key_id
        if held < before:
            self._receiving.shrink(key_id, before - held)
            return None
        return self._receiving.grow(key_id, held - before) if held > before else None


def whole(connection: Connection, size: int) -> None:
    """A message has come on it."""
    connection.whole += size + size // SHARE_BESIDE + BESIDE
