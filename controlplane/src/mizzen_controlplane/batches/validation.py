"""What is wrong with the lines of a batch? Said of all of them before any is sent; pure."""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import orjson
from mizzen_crds.kept_batches import BatchFault

MOST_FAULTS: Final = 100
"""Told of one batch."""
_CUSTOM_ID: Final = 512


def numbered(piece: bytes, first: int) -> Iterator[tuple[int, bytes]]:
    """The lines of a piece that are not empty, counted on from `first`."""
    number = first
    for line in piece.split(b"\n"):
        if line.strip():
            yield number, line
            number += 1


class Validation:
    """Of one batch; its pieces come in order."""

    def __init__(self, endpoint: str, most_lines: int) -> None:
        self._endpoint = endpoint
        self._most_lines = most_lines
        self._seen: set[bytes] = set()
        """Digests of the ids so far: they are the caller's own words, and may be long."""
        self.lines = 0
        self.faults: list[BatchFault] = []

    def look_at(self, piece: bytes) -> bool:
        """False once nothing more needs to be looked at. Takes a second for 200 MiB: call it in a thread."""
        for number, line in numbered(piece, self.lines + 1):
            self.lines = number
            if number > self._most_lines:
                self._say(
                    "too_many_lines",
                    f"The file has more than {self._most_lines} lines (MIZZEN_BATCH_MAX_LINES); make several of it.",
                    number,
                )
                return False
            self._check(number, line)
            if len(self.faults) >= MOST_FAULTS:
                return False
        return True

    def _check(self, number: int, line: bytes) -> None:
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            self._say("invalid_json_line", "The line is not a JSON object.", number)
            return
        self._check_id(number, document.get("custom_id"))
        if document.get("method") != "POST":
            self._say("invalid_method", "method: must be POST.", number, "method")
        if document.get("url") != self._endpoint:
            self._say("mismatched_url", f"url: must be the batch's endpoint, {self._endpoint}.", number, "url")
        self._check_body(number, document.get("body"))

    def _check_id(self, number: int, custom_id: Any) -> None:
        if not isinstance(custom_id, str) or not 1 <= len(custom_id) <= _CUSTOM_ID:
            message = f"custom_id: must be a text of 1 to {_CUSTOM_ID} characters."
            self._say("invalid_custom_id", message, number, "custom_id")
            return
        digest = hashlib.blake2b(custom_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._seen:
            self._say("duplicate_custom_id", "custom_id: an earlier line has the same.", number, "custom_id")
        self._seen.add(digest)

    def _check_body(self, number: int, body: Any) -> None:
        if not isinstance(body, dict):
            self._say("invalid_body", "body: must be an object.", number, "body")
        elif not isinstance(body.get("model"), str) or not body["model"]:
            self._say("invalid_body", "body.model: must name a model.", number, "body.model")
        elif body.get("stream"):
            self._say(
                "invalid_body", "body.stream: a line's answer is one document; leave it out.", number, "body.stream"
            )

    def _say(self, code: str, message: str, line: int, param: str | None = None) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(BatchFault(code=code, message=message, line=line, param=param))
