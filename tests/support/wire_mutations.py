"""Good requests with a few bytes changed: what a parser meets that nobody thought of. Bodies stay as they are."""

import random
from dataclasses import replace

from support.wire_corpus import PROBE, Case, body_of, pieces

LAST_PROBE = PROBE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
SEEDS = ("plain-post", "chunked-post", "trailer", "chunk-extension", "two-pipelined", "keep-alive-1-0", "host-of-ipv6")
TOKENS = (
    *(bytes([byte]) for byte in (0, 1, 9, 10, 11, 13, 32, 35, 37, 44, 46, 47, 58, 59, 64, 91, 127, 128, 195, 255)),
    b"\r\n", b"\n\n", b"\r\n\r\n", b"\r\n ", b"%00", b"%2e%2e/", b"/../", b"0", b"1", b"-", b"+", b"0x", b"chunked",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Host: other\r\n", b"Connection: close\r\n",
    b"HTTP/1.0", b"HTTP/1.1", b"GET / HTTP/1.1\r\n", b"Expect: 100-continue\r\n", b"http://other",
)  # fmt: skip


def mutated(seeds: list[Case], count: int, key: str, seed: int) -> list[tuple[str, bytes]]:
    """Names and bytes; the body of each says its name, and behind it comes a probe that ends the connection."""
    chance = random.Random(seed)
    return [_one(chance.choice(seeds), f"mutation-{number}", key, chance) for number in range(count)]


def _one(case: Case, name: str, key: str, chance: random.Random) -> tuple[str, bytes]:
    raw = b"".join(piece.data for piece in pieces(replace(case, name=name), key))
    body = body_of(name, "first")
    for _ in range(chance.randint(1, 3)):
        before, found, behind = raw.partition(body)
        if chance.randrange(len(raw) - len(found)) < len(before):
            raw = _changed(before, chance) + found + behind
        else:
            raw = before + found + _changed(behind, chance)
    return name, raw + LAST_PROBE


def _changed(raw: bytes, chance: random.Random) -> bytes:
    if not raw:
        return raw
    at, token, way = chance.randrange(len(raw)), chance.choice(TOKENS), chance.random()
    if way < 0.6:
        return raw[:at] + token + raw[at:]
    if way < 0.8:
        return raw[:at] + token + raw[at + 1 :]
    if way < 0.9:
        return raw[:at] + raw[at + 1 :]
    end = raw.find(b"\n", at) + 1 or len(raw)
    return raw[:end] + raw[at:end] + raw[end:]
