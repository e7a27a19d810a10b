"""How is JSON read that comes in pieces and is too long to be held as one document? Value by value, in their order.

Bytes are looked at as Latin-1: none of them is wrong in it, JSON's own signs are what they are in UTF-8, and a text is
as long as its bytes. A value with others than ASCII is read again as what it is.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

BLANKS = " \t\r\n"
LONGEST_CUT = 2
"""Signs after what looks like a whole number, of which it is no part until the next piece comes: `e-` of `1e-7`."""

_read = json.JSONDecoder().raw_decode


class NotJsonError(ValueError):
    """The text is not JSON, or not of the expected form."""


class JsonPieces:
    """A place in a text, of which only what lies around it is held."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._text = ""
        self._at = 0
        self._before = 0
        """Bytes of the text before those that are held."""
        self._stop = 0
        """Where the text ends that `mark` looked at."""
        self.mark_of_last = 0
        """Hash of the text of the value that was read last."""

    @property
    def place(self) -> int:
        """Bytes before the next sign."""
        return self._before + self._at

    def next_sign(self) -> str:
        """The next one that is no blank, which stays; empty at the end."""
        while True:
            text, at = self._text, self._at
            while at < len(text) and text[at] in BLANKS:
                at += 1
            self._at = at
            if at < len(text):
                return text[at]
            if not self._more():
                return ""

    def value(self) -> Any:
        """The next value, whole."""
        self.next_sign()
        while True:
            try:
                value, end = _read(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._more():
                    continue
                raise NotJsonError(f"no JSON at byte {self._before + error.pos}") from error
            if end + LONGEST_CUT >= len(self._text) and self._more():
                continue
            break
        raw = self._text[self._at : end]
        self._at = end
        self.mark_of_last = hash(raw)
        return value if raw.isascii() else json.loads(raw.encode("latin-1"))

    def mark(self) -> int:
        """Hash of the text up to the next closing brace: the object's that begins here, where it has none within.

        The text of an object is never the begin of another's, so that whoever knows an object by this hash knows this
        one. 0 where there is no object.
        """
        if self.next_sign() != "{":
            return 0
        self._stop = self._text.find("}", self._at) + 1
        while not self._stop:
            if not self._more():
                return 0
            self._stop = self._text.find("}", self._at) + 1
        return hash(self._text[self._at : self._stop])

    def pass_over(self) -> None:
        """Go on behind what `mark` looked at."""
        self._at = self._stop

    def members(self) -> Iterator[str]:
        """Names of the members of an object; who asks for the next one has read the value of this one."""
        for _ in self._parts("{", "}"):
            if self.next_sign() != '"':
                raise NotJsonError(f"a name is missing at byte {self.place}")
            name = self.value()
            self._take(":")
            yield name

    def elements(self) -> Iterator[None]:
        """One for each element of a list; who asks for the next one has read this one."""
        return self._parts("[", "]")

    def end(self) -> None:
        """There must be nothing more."""
        if self.next_sign():
            raise NotJsonError(f"more than one document, from byte {self.place} on")

    def _parts(self, opening: str, closing: str) -> Iterator[None]:
        self._take(opening)
        if self.next_sign() == closing:
            self._at += 1
            return
        while True:
            yield
            if self.next_sign() == closing:
                self._at += 1
                return
            self._take(",")

    def _take(self, sign: str) -> None:
        if self.next_sign() != sign:
            raise NotJsonError(f"{sign!r} is missing at byte {self.place}")
        self._at += 1

    def _more(self) -> bool:
        """Hold as much again, so that a long value is not begun over and over; False where there is no more."""
        held, wanted = [self._text[self._at :]], len(self._text) - self._at
        while piece := next(self._pieces, b""):
            held.append(piece.decode("latin-1"))
            wanted -= len(piece)
            if wanted <= 0:
                break
        if len(held) == 1:
            return False
        self._before += self._at
        self._text, self._at = "".join(held), 0
        return True
