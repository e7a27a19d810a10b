"""Is this the header that came before on this connection? Then it means what it meant, and need not be parsed again.

A client that keeps its connection sends one header for all its requests, but for the number in Content-Length. What was
parsed is known again by a digest of all other bytes: keys are not kept, they are cut out of the bytes that came.
"""

from hashlib import sha256

from mizzen_gateway.wire.request import Request

END = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length:"
SECRETS = (b"authorization", b"api-key", b"x-api-key")
DIGITS = 8
"""Of a Content-Length that is read here; bodies of more bytes than that come in pieces anyway."""
TRIES = 4
"""Headers in a row that were new: whoever sends another each time is not looked at any longer."""


class RepeatedHead:
    """What one connection sent last. Holds no credential."""

    __slots__ = (
        "_digest",
        "_headers",
        "_keep_alive",
        "_length_at",
        "_method",
        "_path",
        "_secrets",
        "_target",
        "_tries",
    )

    def __init__(self) -> None:
        self._digest = b""
        self._tries = TRIES
        self._length_at = 0

    @property
    def worth_a_look(self) -> bool:
        """A header was remembered, and the last ones were not all new."""
        return self._tries > 0 and self._length_at > 0

    def request_in(self, data: bytes, most: int) -> Request | None:
        """The request, where `data` is a whole one with the remembered header and a body of `most` bytes at most."""
        self._tries -= 1
        start = self._length_at
        stop = data.find(b"\r\n", start)
        digits = data[start:stop]
        if stop - start > DIGITS or not digits.isdigit():
            return None
        body_at = data.find(END, stop) + len(END)
        length = int(digits)
        if body_at < len(END) or len(data) - body_at != length or length > most:
            return None
        found = sha256(data[:start])
        found.update(data[stop:body_at])
        if found.digest() != self._digest:
            return None
        self._tries = TRIES
        headers = self._headers.copy()
        headers[b"content-length"] = digits
        for name, behind, begin, end in self._secrets:
            headers[name] = data[stop + begin : stop + end] if behind else data[begin:end]
        return Request(self._method, self._target, self._path, headers, self._keep_alive, True, data[body_at:])

    def remember(self, data: bytes, request: Request) -> None:
        """`request` was parsed from `data`, which is all of it and nothing else."""
        self._length_at = 0
        headers = request.headers
        length = headers.get(b"content-length")
        if self._tries <= 0 or length is None or not request.keep_alive or not request.chunks_allowed:
            return
        if b"expect" in headers or b"transfer-encoding" in headers:
            return
        body_at = data.find(END) + len(END)
        head = data[:body_at].lower()
        start = head.find(LENGTH) + len(LENGTH)
        while head[start : start + 1] == b" ":
            start += 1
        stop = start + len(length)
        if body_at < len(END) or len(data) - body_at != int(length) or head.count(LENGTH) != 1:
            return
        if head[start : stop + 2] != length + b"\r\n":
            return
        secrets = []
        for name in SECRETS:
            held = headers.get(name)
            if held is not None:
                begin = data.find(held, 0, body_at)
                behind = begin >= stop
                if begin < 0 or begin < start < begin + len(held):
                    return
                origin = stop if behind else 0
                secrets.append((name, behind, begin - origin, begin - origin + len(held)))
        found = sha256(data[:start])
        found.update(data[stop:body_at])
        self._digest, self._length_at = found.digest(), start
        self._headers = {name: value for name, value in headers.items() if name not in SECRETS}
        self._secrets = tuple(secrets)
        self._method, self._target, self._path = request.method, request.target, request.path
        self._keep_alive = request.keep_alive
