"""Which compressed bodies are opened? Those of /v2, in gzip of any number of members and in deflate; none of /v1."""

import gzip
import zlib

import pytest
from mizzen_gateway.protocols.open_inference import inflate
from mizzen_gateway.protocols.parsing import parsed
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import Request

TEXT = bytes(range(256)) * 1024


async def code_of(body: bytes, coding: bytes, limit: int = 1 << 20) -> str:
    found = await inflate.inflated(body, coding, limit)
    return found.code if isinstance(found, Refusal) else "opened" if found == TEXT else "another body"


async def test_gzip_of_several_members_is_one_body() -> None:
    assert await code_of(gzip.compress(TEXT), b"gzip") == "opened"
    assert await code_of(gzip.compress(TEXT[:10]) + gzip.compress(TEXT[10:]), b"gzip") == "opened"
    pieces = [TEXT[place : place + 100] for place in range(0, len(TEXT), 100)]
    assert await code_of(b"".join(map(gzip.compress, pieces)), b"gzip") == "opened"


async def test_what_follows_has_to_be_a_member_and_whole() -> None:
    two = gzip.compress(TEXT[:10]) + gzip.compress(TEXT[10:])
    assert await code_of(two[:-1], b"gzip") == "invalid_encoding"
    assert await code_of(two + b"xx", b"gzip") == "invalid_encoding"
    assert await code_of(zlib.compress(TEXT[:10]) + zlib.compress(TEXT[10:]), b"deflate") == "invalid_encoding"


async def test_members_are_bounded_in_number_and_in_what_comes_out_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    two = gzip.compress(TEXT[:10]) + gzip.compress(TEXT[10:])
    assert await code_of(two, b"gzip", len(TEXT)) == "opened"
    assert await code_of(two, b"gzip", len(TEXT) - 1) == "body_too_large"
    monkeypatch.setattr(inflate, "MOST_MEMBERS", 3)
    assert await code_of(two + gzip.compress(b""), b"gzip") == "opened"
    assert await code_of(two + gzip.compress(b"") * 2, b"gzip") == "invalid_encoding"


@pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b"br"])
def test_a_compressed_body_of_v1_is_refused_as_one(coding: bytes) -> None:
    headers = {b"content-encoding": coding}
    path = b"/v1/chat/completions"
    call = parsed("chat.completions", Request(b"POST", path, path, headers, True, True, body=gzip.compress(b"{}")))
    assert isinstance(call, Refusal)
    assert (call.status, call.code) == (415, "unsupported_encoding")
