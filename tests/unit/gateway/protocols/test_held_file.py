"""How long is the file of a form kept, and how much of one?"""

import os
from collections.abc import AsyncIterator

import pytest
from mizzen_gateway.protocols.openai import held_file
from mizzen_gateway.protocols.openai.held_file import IN_MEMORY, MOST, PIECE, HeldFiles
from mizzen_gateway.wire.request import BadRequestError

MIB = 1 << 20


async def pieces(size: int) -> AsyncIterator[bytes]:
    for at in range(0, size, MIB):
        yield os.urandom(min(MIB, size - at))


async def test_it_is_closed_where_its_request_ends_though_somebody_still_knows_it() -> None:
    files = HeldFiles()
    with files.one("key") as held:
        await held.keep(pieces(2 * IN_MEMORY))
        assert files.held == 2 * IN_MEMORY
    assert files.held == 0
    with pytest.raises(ValueError, match="closed"):
        _ = [piece async for piece in held.data()]


async def test_two_that_read_it_at_once_read_the_same() -> None:
    with HeldFiles().one("key") as held:
        await held.keep(pieces(MIB))
        first, second = held.data(), held.data()
        got = [b"", b""]
        for _ in range(MIB // PIECE):
            got[0] += await anext(first)
            got[1] += await anext(second)
    assert len(got[0]) == MIB
    assert got[0] == got[1]


async def test_one_that_is_too_large_is_refused_and_gives_its_room_back() -> None:
    files = HeldFiles()
    with files.one("key") as held, pytest.raises(BadRequestError, match="must come before a file"):
        await held.keep(pieces(MOST + 1))
    assert files.held == 0


async def test_what_a_request_without_one_holds_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_file, "HELD_BYTES", 0)
    files = HeldFiles()
    with files.one("key"):
        assert files.held == 0
    with files.one("key") as held, pytest.raises(BadRequestError, match="send `model` before `file`"):
        await held.keep(pieces(1))
