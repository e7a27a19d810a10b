"""A form of parts, however its bytes are cut: what it holds, and what is refused."""

import random
from collections.abc import Awaitable, Callable

import pytest
from mizzen_gateway.protocols.openai.multipart import HEAD_BYTES, MultipartReader, Part, boundary_of, head_of
from mizzen_gateway.wire.request import BadRequestError

BOUNDARY = b"xyz"


def form(*parts: tuple[str, bytes], end: bytes = b"--xyz--\r\n") -> bytes:
    return b"".join(b"--xyz\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n" for head, data in parts) + end


def named(name: str, more: str = "") -> str:
    return f'Content-Disposition: form-data; name="{name}"{more}'


def reading(raw: bytes, cuts: int = 1_000_000) -> Callable[[], Awaitable[bytes]]:
    pieces = iter([raw[start : start + cuts] for start in range(0, len(raw), cuts)])

    async def read() -> bytes:
        return next(pieces, b"")

    return read


async def everything(reader: MultipartReader) -> list[tuple[Part, bytes]]:
    found = []
    while (part := await reader.next_part()) is not None:
        found.append((part, b"".join([piece async for piece in reader.data()])))
    return found


async def test_parts_come_out_as_they_went_in_however_they_are_cut() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    awkward = [b"", b"\r\n", b"\r\n--xy", b"--xyz", b"\r\n--xy\r\n--xy", b"x" * 5000, chance.randbytes(70_000)]
    heads = [named("a"), named("b c"), named("f", '; filename="s.wav"') + "\r\nContent-Type: audio/wav"]
    for cuts in (1, 2, 3, 7, 64, 4096, 1_000_000):
        parts = [(chance.choice(heads), data) for data in awkward if cuts > 3 or len(data) < 6000]
        found = await everything(MultipartReader(BOUNDARY, reading(form(*parts), cuts)))
        assert [data for _, data in found] == [data for _, data in parts]
    files = await everything(MultipartReader(BOUNDARY, reading(form((heads[2], b"x")))))
    assert files[0][0] == Part("f", "s.wav", "audio/wav")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "ends before"),
        (b"hello", "does not begin"),
        (b"preamble\r\n" + form((named("a"), b"x")), "does not begin"),
        (form((named("a"), b"x"), end=b""), "ends before"),
        (b"--xyz\r\n" + b"a" * (HEAD_BYTES + 100), "larger than"),
        (form(("Content-Type: text/plain", b"x")), "lacks 'Content-Disposition"),
        (form(("Content-Disposition: form-data", b"x")), "lacks 'Content-Disposition"),
        (form((named("a", '; name="b"'), b"x")), "lacks 'Content-Disposition"),
        (form((named("a") + "\r\n" + named("b"), b"x")), "twice"),
        (form((named("a") + "\r\nContent-Transfer-Encoding: base64", b"x")), "encoded"),
        (form((named("a") + "\r\nbad", b"x")), "malformed"),
        (form(*[(named("a"), b"")] * 65), "more than 64 parts"),
        (b"--xyzgarbage\r\n", "line end"),
    ],
)
async def test_what_is_no_form_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(BadRequestError, match=words) as refused:
        await everything(MultipartReader(BOUNDARY, reading(raw)))
    assert refused.value.refusal.status == 400


async def test_a_field_that_is_no_file_is_bounded() -> None:
    reader = MultipartReader(BOUNDARY, reading(form((named("prompt"), b"x" * 70_000))))
    part = await reader.next_part()
    assert part is not None
    with pytest.raises(BadRequestError, match="prompt: larger"):
        await reader.text(part)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (b"multipart/form-data; boundary=xyz", b"xyz"),
        (b'Multipart/Form-Data; charset=utf-8; boundary="x y"', b"x y"),
        (b"multipart/form-data", None),
        (b"multipart/form-data; boundary=", None),
        (b"multipart/mixed; boundary=xyz", None),
        (b"application/json", None),
        (b"multipart/form-data; boundary=" + b"x" * 71, None),
    ],
)
def test_the_boundary_is_the_content_types(content_type: bytes, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary


def test_a_head_that_goes_out_holds_nothing_of_the_callers_quoting() -> None:
    head = head_of("b", Part("f", 'a"\r\nX: y.wav', "audio/wav"))
    disposition = b'Content-Disposition: form-data; name="f"; filename="a___X: y.wav"'
    assert head == b"--b\r\n" + disposition + b"\r\nContent-Type: audio/wav\r\n\r\n"
