"""What callers are told whose bytes are no request."""

import httptools
import pytest
from mizzen_gateway.wire.framing import NOT_HTTP, sentence

POST = b"POST /v2/models/x/infer HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "field", "remedy"),
    [
        (b"\x16\x03\x01\x02\x00", "Request line: unknown method", "plain HTTP/1.1"),
        (b"GET /a\x80 HTTP/1.1\r\n\r\n", "Request target", "percent-encode"),
        (b"POST /a b HTTP/1.1\r\n\r\n", "Request line", "%20"),
        (b"GET /a HTTP/9.9\r\n\r\n", "Request line", "HTTP/1.1"),
        (b"GET /a HTTP/1.1\nHost: a\r\n", "Request line", "CR and LF"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP version", "use HTTP/1.1"),
        (POST + b"A b: c\r\n\r\n", "Header: a name", "Name: value"),
        (POST + b": c\r\n\r\n", "Header: a name", "Name: value"),
        (POST + b"A: \x00\r\n\r\n", "Header: a value", "printable"),
        (POST + b" folded\r\n\r\n", "Header: a line begins", "in one line"),
        (POST + b"A: b\n\n", "Header: each line", "send both"),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "Headers Content-Length", "one of them"),
        (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", "Content-Length: came twice", "exactly one"),
        (POST + b"Content-Length: +1\r\n\r\n", "Header Content-Length", "digits only"),
        (POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", "Header Content-Length", "a smaller body"),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", "Header Transfer-Encoding", "a Content-Length"),
        (CHUNKED + b"zz\r\n", "the size of a chunk", "hexadecimal"),
        (CHUNKED + b"1\r\nabc", "a chunk is not as long", "send both right"),
        (CHUNKED + b"1;\x00\r\na\r\n", "chunk extension", "leave chunk extensions out"),
        (POST + b"Connection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n", "bytes follow", "another connection"),
    ],
)
def test_a_framing_error_names_field_and_remedy(raw: bytes, field: str, remedy: str) -> None:
    with pytest.raises(httptools.HttpParserError) as caught:
        httptools.HttpRequestParser(object()).feed_data(raw)
    said = sentence(str(caught.value))
    assert field in said
    assert remedy in said


def test_a_reason_that_nobody_knows_still_has_a_remedy() -> None:
    assert sentence("Span callback error in on_url") != ""
    assert sentence("something new") == NOT_HTTP
