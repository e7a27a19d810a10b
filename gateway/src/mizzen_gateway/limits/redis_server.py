"""How are limits counted in Redis or Valkey? By `limits.lua`, over there, with that server's clock.

Keys of an organization share a hash tag, so that they lie in one slot. The script is sent by its digest.
"""

import asyncio
import hashlib
import random
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import structlog

from mizzen_gateway.ended_task import ended
from mizzen_gateway.limits.redis_connection import RedisAddress, RedisConnection, ServerSaidError, command, words
from mizzen_gateway.limits.rules import Amounts
from mizzen_gateway.limits.shared_server import (
    REMEDY,
    Credit,
    CreditGrant,
    EpochChangedError,
    Rows,
    Settlement,
    StoreUnreachableError,
    TakeAnswer,
    UnfitServerError,
    budget_key,
)

SCRIPT = files("mizzen_gateway.limits").joinpath("limits.lua").read_bytes()
DIGEST = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()
LONGEST_PAUSE = 1.0
"""Between two tries to connect, in seconds."""
RUN_LENGTH = 12
"""Characters of an epoch that name the run of the server, as `limits.lua` reads them."""
ANSWER = struct.Struct("<BBd")
ROW = struct.Struct("<BBdd")
EPOCH = b"epoch "
CLUSTERED = b"_mode:cluster"
"""What a node of a cluster says of itself: `redis_mode`, or `server_mode` where it is a Valkey."""
SENTINEL = b"_mode:sentinel"
REPLICA = b"role:slave"
READ_ONLY = ("READONLY", "MASTERDOWN")
"""What a server says that was the primary when it was connected to, and is a replica now."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Packed:
    """What is the same in every call about the same rows."""

    words: bytes
    """The script's digest, and the keys."""
    count: int
    """Words in it."""
    rows: bytes
    units: struct.Struct
    """How units are packed."""


class RedisServer:
    """A `LimitServer`; connects by itself, again and again."""

    def __init__(self, url: str) -> None:
        """Raises ValueError for a URL that is none."""
        self._address = RedisAddress.of(url)
        self._connection: RedisConnection | None = None
        self._run = ""
        self._fresh = b""
        """Epoch to begin, should there be none; never one that was begun before."""
        self._connecting: asyncio.Task[None] | None = None

    @property
    def reachable(self) -> bool:
        """There is a connection."""
        return self._connection is not None

    async def start(self) -> None:
        """Connect, at least try once; goes on trying in the background. Raises UnfitServerError."""
        try:
            await self._connect()
        except UnfitServerError:
            raise
        except StoreUnreachableError:
            pass
        self._connecting = asyncio.create_task(self._keep_connected(), name="limits store")

    async def close(self) -> None:
        """Hang up."""
        await ended(self._connecting)
        if self._connection is not None:
            self._connection.close()

    async def take(self, rows: Rows, epoch: str, reservation: str, amounts: Amounts, hold_seconds: float) -> TakeAnswer:
        """See `LimitServer`."""
        packed = packed_of(rows)
        units = packed.units.pack(*rows.units(amounts))
        answer = await self._call(
            packed, b"take", epoch, packed.rows, units, reservation.encode(), milliseconds(hold_seconds)
        )
        status, place, shadowed = ANSWER.unpack_from(answer)
        levels = packed.units.unpack_from(answer, ANSWER.size)
        return TakeAnswer(status, place, bits_of(int(shadowed)) if shadowed else (), levels)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """See `LimitServer`; all are on their way before the first answer is awaited."""
        await asyncio.gather(*(self._report(b"settle", one) for one in settlements))

    async def renew(self, running: Settlement, hold_seconds: float) -> None:
        """See `LimitServer`."""
        await self._report(b"renew", running, milliseconds(hold_seconds))

    async def look(self, organization: str, budget_id: str, epoch: str) -> Credit:
        """See `LimitServer`."""
        answer = await self._call(packed_budget(organization, budget_id), b"look", epoch)
        credit, on_the_way, reserved, usable_ms, charged, sequence, period = answer.decode().split(" ", 6)
        return Credit(
            int(credit), int(on_the_way), int(reserved), int(usable_ms) / 1000, int(charged), int(sequence), period
        )

    async def grant(self, organization: str, budget_id: str, epoch: str, grant: CreditGrant) -> bool:
        """See `LimitServer`."""
        seen = grant.seen
        since = max(0, grant.charged - seen.charged)
        numbers = (seen.sequence, grant.sequence, grant.credit, since, grant.charged, int(grant.usable_seconds * 1000))
        arguments = (*(b"%d" % number for number in numbers), grant.period.encode())
        packed = packed_budget(organization, budget_id)
        return await self._call(packed, b"grant", epoch, *arguments) == b"granted"

    async def _report(self, name: bytes, one: Settlement, *more: bytes) -> None:
        packed = packed_of(one.rows)
        taken, used = packed.units.pack(*one.rows.units(one.taken)), packed.units.pack(*one.spent())
        await self._call(packed, name, one.epoch, packed.rows, taken, one.id.encode(), used, *more)

    async def _call(self, packed: Packed, name: bytes, epoch: str, *arguments: bytes) -> bytes:
        connection = self._connection
        if connection is None:
            raise StoreUnreachableError("no connection")
        rest = words(name, epoch.encode(), self._fresh, *arguments)
        sent = b"*%d\r\n%b%b" % (packed.count + 3 + len(arguments), packed.words, rest)
        try:
            answer = await connection.call(sent)
        except ServerSaidError as error:
            answer = await self._again(connection, sent, error)
        if answer.startswith(EPOCH):
            self._begin_epochs()
            raise EpochChangedError(answer[len(EPOCH) :].decode())
        return answer

    async def _again(self, connection: RedisConnection, sent: bytes, error: ServerSaidError) -> bytes:
        """The script may be gone; anything else that the server says is no answer."""
        try:
            if not str(error).startswith("NOSCRIPT"):
                raise error
            await connection.call(command(b"SCRIPT", b"LOAD", SCRIPT))
            return await connection.call(sent)
        except ServerSaidError as said:
            if str(said).startswith(READ_ONLY):
                connection.close()  # the address may lead to the new primary by now
            log.error("the store of limits refused a call", error=str(said))  # noqa: TRY400 - its words say it all
            raise StoreUnreachableError(str(said)) from said

    def _begin_epochs(self) -> None:
        self._fresh = f"{self._run}{secrets.token_hex(8)}".encode()

    async def _connect(self) -> None:
        connection = await RedisConnection.open(self._address)
        try:
            said = await connection.call(command(b"INFO", b"server", b"replication"))
            self._refuse_unfit(said)
            await connection.call(command(b"SCRIPT", b"LOAD", SCRIPT))
        except ServerSaidError as error:
            connection.close()
            raise StoreUnreachableError(str(error)) from error
        except StoreUnreachableError:
            connection.close()
            raise
        run = next((line[7:] for line in said.split() if line.startswith(b"run_id:")), b"")
        self._run = run.decode()[:RUN_LENGTH].ljust(RUN_LENGTH, "0")
        self._begin_epochs()
        self._connection = connection

    def _refuse_unfit(self, said: bytes) -> None:
        """Raise where the server says of itself that it is none to count in, or not now."""
        server = f"the server at {self._address.host}:{self._address.port}"
        if CLUSTERED in said:
            raise UnfitServerError(
                f"{server} is a node of a cluster, whose redirections (MOVED, ASK) are not followed; name a Redis or"
                " Valkey outside of a cluster, which may have replicas, or a PostgreSQL"
            )
        if SENTINEL in said:
            raise UnfitServerError(
                f"{server} is a Sentinel, which is not asked for the primary; name an address that always leads to the"
                " primary (a Service or a proxy that follows Sentinel)"
            )
        if REPLICA in said:
            raise StoreUnreachableError(f"{server} is a replica, which takes no writes; name the primary's address")

    async def _keep_connected(self) -> None:
        pause, why = 0.05, ""
        while True:
            if self._connection is not None:
                await self._connection.lost.wait()
                self._connection = None
                log.warning("the store of limits is lost", host=self._address.host, port=self._address.port)
            try:
                await self._connect()
            except StoreUnreachableError as error:
                if isinstance(error, UnfitServerError):
                    log.error("the store of limits is of no use", error=str(error))  # noqa: TRY400 - its words say it all
                elif str(error) != why:
                    why = str(error)
                    host, port = self._address.host, self._address.port
                    log.warning("the store of limits cannot be used", host=host, port=port, error=why, remedy=REMEDY)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                pause = min(LONGEST_PAUSE, 2 * pause)
            else:
                pause, why = 0.05, ""
                log.info("the store of limits is there", host=self._address.host, port=self._address.port)


def packed_of(rows: Rows) -> Packed:
    """The part that is the same each time, made once."""
    packed: Packed | None = rows.packed
    if packed is None:
        keys = [row.key for row in rows.rows]
        static = b"".join(ROW.pack(row.type, row.strict, float(row.amount), row.window_us) for row in rows.rows)
        packed = rows.packed = Packed(*_named(rows.organization, keys), static, struct.Struct(f"<{len(keys)}d"))
    return packed


def packed_budget(organization: str, budget_id: str) -> Packed:
    """The same for one budget."""
    return Packed(*_named(organization, [budget_key(budget_id)]), b"", ANSWER)


def _named(organization: str, keys: list[str]) -> tuple[bytes, int]:
    names = ["epoch", "reservations", "ends", *keys]
    of = f"mizzen:limits:{{{organization}}}:"
    found = (b"EVALSHA", DIGEST, b"%d" % len(names), *((of + name).encode() for name in names))
    return words(*found), len(found)


def milliseconds(seconds: float) -> bytes:
    """As the script reads them."""
    return b"%d" % (seconds * 1000)


def bits_of(mask: int) -> tuple[int, ...]:
    """Places of the bits that are set."""
    return tuple(place for place in range(mask.bit_length()) if mask >> place & 1)
