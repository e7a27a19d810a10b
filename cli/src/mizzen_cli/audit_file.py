"""Is an exported audit trail whole? Read line by line and held to its anchors, without any installation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from mizzen_controlplane.audit.anchors import KEY_LINE, Anchor, AnchorKeys, anchor_of
from mizzen_controlplane.audit.proof import Walk

from mizzen_cli.errors import CommandError, ExitCode

FORMAT: Final = "mizzen-audit/1"
Line = dict[str, Any]


@dataclass(slots=True)
class Verdict:
    """What came of it."""

    walk: Walk
    notes: list[str] = field(default_factory=list)


def verdict_of(file: Path, keys: Sequence[str], sink: Path | None) -> Verdict:
    """Walk along the events of `file`; `keys` are public ones, `sink` a copy of what was sent there.

    Raises CommandError where a file is none of this kind.
    """
    lines = _lines(file)
    header = next(lines, {})
    if header.get("kind") != "header" or header.get("format") != FORMAT:
        raise CommandError(f"{file} is no export of an audit trail ({FORMAT}): its first line says so", ExitCode.USAGE)
    notes = [] if keys else ["verified with the keys in the file itself: give --key, from a source that you trust"]
    walk = Walk([], AnchorKeys(_public(keys or list(header.get("public_keys", {}).values()))))
    held = _anchors(sink) if sink is not None else []
    for line in lines:
        if line.get("kind") == "anchor" and (anchor := anchor_of(line.get("anchor") or {})):
            held.append(anchor)
        elif line.get("kind") == "event":
            if not walk.events:
                walk = _begun(walk.keys, held, header, notes)
            _take(walk, line)
    walk = walk if walk.events else _begun(walk.keys, held, header, notes)
    walk.end()
    if walk.anchored is None:
        notes.append("no anchor vouches for it: a cut tail, and a chain written anew as a whole, are undetectable")
    elif walk.anchored.number < walk.last:
        notes.append(f"the events after {walk.anchored.number} are not anchored: of those a cut tail is undetectable")
    return Verdict(walk, notes)


def _begun(keys: AnchorKeys, held: list[Anchor], header: Line, notes: list[str]) -> Walk:
    walk = Walk(held, keys)
    walk.begin_after_what_was_removed()
    after, previous = int(header.get("after", 0)), str(header.get("previous_hash", ""))
    if after > walk.last:
        notes.append(f"it is a part: that event {after} was as it says is to be verified with the part before")
        walk.begin(after + 1, previous)
    return walk


def _take(walk: Walk, line: Line) -> None:
    try:
        walk.take(line, line.get("personal", ()))
    except (KeyError, TypeError, ValueError) as error:
        raise CommandError(f"a line after event {walk.last} is no event ({error})", ExitCode.USAGE) from error


def _anchors(path: Path) -> list[Anchor]:
    return [anchor for line in _lines(path) if (anchor := anchor_of(line))]


def _public(keys: Sequence[str]) -> list[str]:
    written = [key if key.startswith("public:") else f"public:{key}" for key in keys]
    if wrong := [key for key in written if not KEY_LINE.match(key)]:
        raise CommandError(f"{wrong[0]} is no public key: 64 hexadecimal digits", ExitCode.USAGE)
    return written


def _lines(path: Path) -> Iterator[Line]:
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                found = orjson.loads(line)
                if not isinstance(found, dict):
                    raise CommandError(f"{path}, line {number}: no JSON object", ExitCode.USAGE)
                yield found
    except OSError as error:
        raise CommandError(f"{path} cannot be read ({error.strerror})", ExitCode.USAGE) from error
    except orjson.JSONDecodeError as error:
        raise CommandError(f"{path} holds a line that is not JSON ({error}): a cut file?") from error
