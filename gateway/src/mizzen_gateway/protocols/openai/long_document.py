"""What does a long JSON object say of itself at its own level? Read as it goes by, in pieces: no document is built.

For answers that are too long to be held. What lies deeper is passed over at the speed of `bytes`, not of Python.
"""

import re

import orjson

from mizzen_gateway.protocols.openai.tail import usage_of
from mizzen_gateway.stages import Usage

WINDOW = 16 * 1024
"""Bytes that are passed over at a time."""
LONGEST_HELD = 64 * 1024
"""Of a name, or of what was used; longer ones are none."""
MARKS = b'"{}[]'
BRACES = bytes.maketrans(b"[]", b"{}")
NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
PASSES = 4
"""Pairs of brackets are taken out so often: as deep as answers usually are."""
OPENING, QUOTE = ord("{"), b'"'
MARK = re.compile(rb'["{}\[\]]')
OWN_MARK = re.compile(rb'["{}\[\],:]')
NOT_BLANK = re.compile(rb"[^ \t\r\n]")


class LongDocument:
    """Give it the pieces in order; what it gives back goes on."""

    __slots__ = ("_captured", "_depth", "_held", "_in_string", "_in_value", "_key", "_name", "_out", "_public", "_sent",
                 "unfit", "usage", "whole")  # fmt: skip

    def __init__(self, public: str | None, name: bytes = b"model") -> None:
        """`public`: name of the model to be written where the engine's stands, in that field; None to leave it."""
        self._public = None if public is None else orjson.dumps(public)
        self._name = name
        self._held = self._key = b""
        self._depth = 0
        self._in_string = self._in_value = False
        self._captured: bytearray | None = None
        self._out: list[bytes] = []
        self._sent = 0
        self.usage: Usage | None = None
        """What the engine says that it used."""
        self.unfit = False
        """No object, or one that tells an error: nothing of that, nor of what follows, is given back."""
        self.whole = False
        """Its end has come."""

    def feed(self, data: bytes) -> bytes:
        """What may go on by now; the rest is kept until more has come."""
        data, self._held = self._held + data, b""
        end = len(data)
        if (end - len(data.rstrip(b"\\"))) % 2:
            end -= 1  # what it escapes is still to come
        masked = data
        if data.find(b"\\") >= 0:
            masked = data.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        self._out, self._sent = [], 0
        place = 0
        while place < end and not self.unfit:
            inside = self._in_string or self._depth > 1
            after = self._pass_over(masked, place, end) if inside else self._look(data, masked, place, end)
            if after == place:
                break
            if inside and self._captured is not None:
                self._capture(data[place:after])
            place = after
        self._held = data[place:]
        if self.unfit or len(self._held) > LONGEST_HELD:
            self.unfit, self._held = True, b""
        self._out.append(data[self._sent : place])
        return b"".join(self._out)

    def _look(self, data: bytes, masked: bytes, place: int, end: int) -> int:
        """At the object's own level: go one mark on. `place` where more has to come first."""
        if not self._depth:
            return self._begin(data, place, end)
        found = OWN_MARK.search(masked, place, end)
        if found is None:
            return end
        at, mark = found.start(), found[0]
        if mark == QUOTE:
            return self._string(data, masked, at, place, end)
        if mark == b":":
            if self._key == b"error":
                value = NOT_BLANK.search(data, at + 1, end)
                if value is None:
                    return place
                self.unfit = value[0] != b"n"
            self._in_value = True
        elif mark == b",":
            self._in_value = False
        elif mark in b"{[":
            self._depth = 2
            if self._key == b"usage" and self._in_value:
                self._captured = bytearray(mark)
        else:
            self._depth, self.whole = 0, True
        return at + 1 if not self.unfit else place

    def _begin(self, data: bytes, place: int, end: int) -> int:
        found = NOT_BLANK.search(data, place, end)
        if found is None:
            return end
        if self.whole or found[0] != b"{":
            self.unfit = True
            return place
        self._depth = 1
        return found.end()

    def _string(self, data: bytes, masked: bytes, at: int, place: int, end: int) -> int:
        """A name, or a text that is a value."""
        if self._in_value and (self._key != self._name or self._public is None):
            self._in_string = True
            return at + 1
        closing = masked.find(QUOTE, at + 1, end)
        if closing < 0:
            return place
        if self._in_value and self._public is not None:
            self._out += (data[self._sent : at], self._public)
            self._sent = closing + 1
        else:
            self._key = data[at + 1 : closing]
        return closing + 1

    def _pass_over(self, masked: bytes, place: int, end: int) -> int:
        """Within a value: to its end, or to that of what has come."""
        if self._depth == 1:
            closing = masked.find(QUOTE, place, end)
            self._in_string = closing < 0
            return end if closing < 0 else closing + 1
        while place < end:
            window = masked[place : min(place + WINDOW, end)]
            lowest, level, in_string = levels(window, self._in_string)
            if self._depth + lowest <= 1:
                return place + self._way_out(window)
            self._depth += level
            self._in_string = in_string
            place += len(window)
        return end

    def _way_out(self, window: bytes) -> int:
        """Where in it the value ends."""
        for found in MARK.finditer(window):
            if found[0] == QUOTE:
                self._in_string = not self._in_string
            elif not self._in_string:
                self._depth += 1 if found[0] in b"{[" else -1
                if self._depth == 1:
                    return found.end()
        return len(window)

    def _capture(self, data: bytes) -> None:
        assert self._captured is not None
        self._captured += data
        if self._depth == 1:
            try:
                self.usage = usage_of({"usage": orjson.loads(self._captured)})
            except orjson.JSONDecodeError:
                self.usage = None
        if self._depth == 1 or len(self._captured) > LONGEST_HELD:
            self._captured = None


def levels(window: bytes, in_string: bool) -> tuple[int, int, bool]:
    """How deep it goes down at most (0, or less than that) and at its end, and whether it ends within a string."""
    parts = window.split(QUOTE)
    marks = b"".join(parts[in_string::2]).translate(BRACES, NO_BRACKETS)
    for _ in range(PASSES):
        before = len(marks)
        marks = marks.replace(b"{}", b"")
        if len(marks) == before:
            break
    lowest = level = 0
    for mark in marks:
        level += 1 if mark == OPENING else -1
        lowest = min(lowest, level)
    return lowest, level, in_string ^ (len(parts) % 2 == 0)
