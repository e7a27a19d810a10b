"""Cases of `tests/corpus/wire`: bytes that two programs could read differently, and what has to come of them.

A file is one case: why it is there, `answers` (the statuses, in order), `ends` (`open`: a probe sent behind it is
answered; `closed`: the connection ends), `engine` (what an engine is asked), an empty line, then the bytes. Line breaks
of the file are none of the bytes; escapes are Python's. `<body>` is a good body and `<length>`, `<hexlength>` its size,
`<key>` the header with a key, `<smuggled>` a whole request that must never be taken for one, `<text*N>` a repetition.
`@piece` sends what stands above on its own, `@bytewise` sends what follows in single bytes, `@drip` does so slowly,
`@silence` leaves the connection as it is, `@half-close` closes the sending side.
"""

import asyncio
import re
from codecs import escape_decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
from support.scripted_engine import Exchange, ScriptedEngine, completion

FOLDER = Path(__file__).parents[1] / "corpus" / "wire"
PROBE = b"GET /v2/health/live HTTP/1.1\r\nHost: probe\r\n\r\n"
DRIP_SECONDS = 0.1
PIECE_SECONDS = 0.005
PATIENCE_SECONDS = 20.0
STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) ")
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")
PLACEHOLDER = re.compile(r"<(key|body|length|hexlength|smuggled|smuggledlength|[^<>]+\*\d+)>")


@dataclass(frozen=True)
class Case:
    """One file."""

    name: str
    why: str
    answers: tuple[int, ...]
    stays_open: bool
    engine: tuple[str, ...]
    """Words of the requests that an engine is asked: `first` or `smuggled`."""
    script: str

    @property
    def slow(self) -> bool:
        """It ends by a deadline alone."""
        return "@silence" in self.script or "@drip" in self.script


@dataclass(frozen=True)
class Verdict:
    """What came of a case."""

    answers: tuple[int, ...]
    open: bool
    received: bytes


def read_cases(folder: Path = FOLDER) -> list[Case]:
    """All of them, by name."""
    return [_read(path) for path in sorted(folder.glob("*.http"))]


def _read(path: Path) -> Case:
    head, _, script = path.read_text().partition("\n\n")
    why, *lines = head.splitlines()
    fields = dict(line.split(": ", 1) for line in lines)
    answers = () if fields["answers"] == "none" else tuple(map(int, fields["answers"].split()))
    engine = () if fields["engine"] == "nothing" else tuple(fields["engine"].split(", "))
    return Case(path.stem, why, answers, {"open": True, "closed": False}[fields["ends"]], engine, script)


def body_of(case: str, word: str) -> bytes:
    """A chat request whose text tells which case it belongs to."""
    return b'{"model":"chat","messages":[{"role":"user","content":"%b %b"}]}' % (case.encode(), word.encode())


@dataclass(frozen=True)
class Piece:
    """Bytes that are sent together, and how."""

    data: bytes
    way: str
    """`at once`, `bytewise` or `drip`."""


def pieces(case: Case, key: str) -> Iterator[Piece]:
    """What is sent, in order."""
    held, way = b"", "at once"
    for line in case.script.splitlines():
        if not line.startswith("@"):
            held += _bytes_of(line, case.name, key)
            continue
        if held:
            yield Piece(held, way)
            held = b""
        way = {"@bytewise": "bytewise", "@drip": "drip"}.get(line, way)
    if held:
        yield Piece(held, way)


def _bytes_of(line: str, case: str, key: str) -> bytes:
    body = body_of(case, "first")
    authorization = f"Authorization: Bearer {key}\r\n".encode()
    smuggled = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n%bContent-Length: %d\r\n\r\n%b" % (
        authorization,
        len(body_of(case, "smuggled")),
        body_of(case, "smuggled"),
    )
    words: dict[str, Callable[[], bytes]] = {
        "key": lambda: authorization,
        "body": lambda: body,
        "length": lambda: b"%d" % len(body),
        "hexlength": lambda: b"%x" % len(body),
        "smuggled": lambda: smuggled,
        "smuggledlength": lambda: b"%d" % len(smuggled),
    }
    found = b""
    for number, part in enumerate(PLACEHOLDER.split(line)):
        if number % 2 == 0:
            found += _unescaped(part)
        elif part in words:
            found += words[part]()
        else:
            text, _, count = part.rpartition("*")
            found += _unescaped(text) * int(count)
    return found


def _unescaped(text: str) -> bytes:
    decoded: tuple[bytes, int] = escape_decode(text.encode())
    return decoded[0]


async def answer_any(exchange: Exchange) -> None:
    """How an engine of these cases behaves."""
    await exchange.send_json(completion("chat"))


def asked(engine: ScriptedEngine) -> dict[str, list[str]]:
    """By case: the words of the chat requests that reached the engine whole."""
    found: dict[str, list[str]] = {}
    for exchange in engine.exchanges:
        try:
            text = orjson.loads(exchange.body)["messages"][0]["content"]
        except (ValueError, LookupError, TypeError):
            continue
        name, _, word = text.partition(" ")
        found.setdefault(name, []).append(word)
    return found


async def play(case: Case, port: int, key: str) -> Verdict:
    """Send a case's bytes to a server and see what comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    listening = asyncio.create_task(_listen(reader, len(case.answers) + 1 if case.stays_open else None))
    sending = asyncio.create_task(_send(case, writer, key))
    try:
        received = await asyncio.wait_for(listening, PATIENCE_SECONDS)
    except TimeoutError:
        received = b"(nothing ended it)"
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    answers = tuple(statuses(received))
    alive = case.stays_open and answers[-1:] == (200,) and len(answers) == len(case.answers) + 1
    return Verdict(answers[:-1] if alive else answers, alive, received)


async def talk(port: int, raw: bytes, seconds: float = PATIENCE_SECONDS) -> bytes:
    """Send bytes; all that comes back until the connection ends, which must be within so many seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        return await asyncio.wait_for(_listen(reader, None), seconds)
    finally:
        writer.close()


async def _send(case: Case, writer: asyncio.StreamWriter, key: str) -> None:
    for piece in pieces(case, key):
        if piece.way == "at once":
            writer.write(piece.data)
            await writer.drain()
            await asyncio.sleep(PIECE_SECONDS)  # so that pieces arrive as pieces
            continue
        for byte in piece.data:
            writer.write(bytes([byte]))
            await asyncio.sleep(DRIP_SECONDS if piece.way == "drip" else 0)
    if case.stays_open:
        writer.write(PROBE)
    if "@half-close" in case.script:
        writer.write_eof()


async def _listen(reader: asyncio.StreamReader, wanted: int | None) -> bytes:
    """All that comes until the end, or until so many answers are there."""
    received = b""
    try:
        while wanted is None or len(list(statuses(received))) < wanted:
            more = await reader.read(65536)
            if not more:
                break
            received += more
    except ConnectionError:
        pass
    return received


def statuses(received: bytes) -> Iterator[int]:
    """Of each whole answer, by its length: words inside of a body count for nothing."""
    at = 0
    while (found := STATUS_LINE.match(received, at)) is not None:
        end = received.find(b"\r\n\r\n", at)
        if end < 0:
            return
        length = LENGTH.search(received, at, end + 2)
        at = end + 4 + (int(length[1]) if length else 0)
        if at > len(received):
            return
        yield int(found[1])
