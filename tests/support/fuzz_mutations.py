"""Bytes made of good ones by chance: for fuzzing that is not led by what the code does."""

import random

WORDS = (
    b"\r\n", b"\n\n", b"\r\n\r\n", b"\x00", b"\xff", b"{", b"}", b"[", b"]", b'"', b",", b":", b"0", b"-1", b"1e999",
    b"null", b"true", b"NaN", b'{"a":' * 40, b"[" * 2000, b'"\\ud800"', b'"\xed\xa0\x80"', b"18446744073709551616",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 1\r\n", b"HTTP/1.1 ", b"data: ", b'"error"', b'"usage":{',
    b'"model":1', b'"stream":"x"', b'"content":{}', b'"shape":[-1]', b'"parameters":[]', b'"name":null',
    b"\r\n--b", b"--", b'; name="', b"Content-Disposition: form-data", b"\x80" * 11, b"\x0a\x01", b"\x2a\x03", b"\x3a",
    b'"inputs":[', b'"outputs":[', b'"datatype":"', b'"BYTES"', b'"binary_data_size":', b'"data":[', b'"messages":[',
    b'"role":"', b'"prompt":', b'"tools":[', b'"response_format":', b'"n":', b'"logprobs":', b'"stop":', b'"input":',
    b'"choices":[', b'"delta":{', b"Transfer-Encoding: gzip, chunked\r\n", b"Expect: 100-continue\r\n", b"HTTP/1.0\r\n",
)  # fmt: skip


def changed(data: bytes, chance: random.Random) -> bytes:
    """A few bytes put in, taken out or doubled."""
    for _ in range(chance.randint(1, 6)):
        at, way = chance.randrange(len(data) + 1), chance.random()
        if way < 0.5:
            data = data[:at] + chance.choice(WORDS) + data[at:]
        elif way < 0.7:
            data = data[:at] + data[at + chance.randint(1, 8) :]
        elif way < 0.9:
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        else:
            data += data[at : at + 40]
    return data
