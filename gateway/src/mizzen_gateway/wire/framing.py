"""What is a person told whose bytes are no HTTP request? The parser's reason becomes field, limit and remedy."""

CRLF = "Header: each line must end with CR and LF; send both."
REQUEST_LINE = (
    "Request line: must be method, target and HTTP/1.1, one space between them, then CR and LF; write a space in"
    " the target as %20."
)
NOT_HTTP = (
    "Request: not HTTP/1.1; send a request line, header lines that end with CR and LF, an empty line, then the body."
)
SENTENCES = (
    ("can't be present", "Headers Content-Length and Transfer-Encoding: send one of them, not both."),
    ("duplicate content-length", "Header Content-Length: came twice; send exactly one."),
    ("content-length overflow", "Header Content-Length: larger than any body that is taken; send a smaller body."),
    ("content-length", "Header Content-Length: must be the size of the body in bytes, digits only; send that."),
    (
        "transfer-encoding",
        "Header Transfer-Encoding: only 'chunked' is understood, and only with HTTP/1.1; send that, or a"
        " Content-Length.",
    ),
    ("pri/upgrade", "HTTP version: HTTP/2 is not spoken here; use HTTP/1.1."),
    ("invalid method", "Request line: unknown method; TLS is not spoken here; send GET or POST in plain HTTP/1.1."),
    (" url", "Request target: has a character that no URL has, or does not begin with '/'; percent-encode it."),
    ("version", REQUEST_LINE),
    ("expected http/", REQUEST_LINE),
    ("after method", REQUEST_LINE),
    ("header value char", "Header: a value has a control character in it; send printable characters alone."),
    ("unexpected whitespace", "Header: a line begins with a space; send each header in one line, not folded."),
    ("unexpected space", "Header: a line begins with a space; send each header in one line, not folded."),
    ("after header value", CRLF),
    ("lf after headers", CRLF),
    ("header", "Header: a name must be letters, digits and hyphens, directly before its colon; send 'Name: value'."),
    ("chunk extension", "Body: a chunk extension is malformed; leave chunk extensions out."),
    ("chunk size", "Body: the size of a chunk must be up to 16 hexadecimal digits, then CR and LF; send that."),
    (
        "chunk data",
        "Body: a chunk is not as long as its size says, or CR and LF are missing behind it; send both right.",
    ),
    (
        "connection: close",
        "Request: bytes follow one that said 'Connection: close'; open another connection for the next request.",
    ),
)
"""By words of llhttp's reasons, in lower case; the first that fits."""


def sentence(reason: str) -> str:
    """For a reason of llhttp, whatever its version calls it."""
    lowered = reason.lower()
    return next((said for words, said in SENTENCES if words in lowered), NOT_HTTP)
