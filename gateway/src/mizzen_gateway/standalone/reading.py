"""How does gateway.yaml become a `GatewayFile`? Read, checked, and every mistake named with its line."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from mizzen_crds.mistakes import Mistake, mistakes
from pydantic import ValidationError
from yaml.reader import ReaderError

from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.standalone.config import GatewayFile
from mizzen_gateway.standalone.contradictions import contradictions

MOST_BYTES = 16 * 1024 * 1024
LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where it is there: five times as fast."""
MOST_LEVELS = 64
"""Of lists and maps within each other: deeper ones would overflow libyaml's stack."""
SHOWN = 20
"""Mistakes that are told at once."""


class FileRefusedError(CannotStartError):
    """The file cannot be gone by; each line of the message is one mistake: file, line, field, limit, remedy."""


def read_file(path: Path) -> GatewayFile:
    """The file. Raises FileRefusedError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FileRefusedError(f"{path}: has more than {MOST_BYTES} bytes; divide it over several gateways")
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise FileRefusedError(
            f"{path}: there is no such file; name yours with --config, or begin with the one of `mizzen gateway --help`"
        ) from None
    except OSError as error:
        raise FileRefusedError(f"{path}: cannot be read ({error.strerror}); name a file of this user") from None
    except UnicodeDecodeError as error:
        raise FileRefusedError(f"{path}: is no text in UTF-8 ({error.reason}); save it as such") from None
    return parse(text, str(path))


def parse(text: str, name: str) -> GatewayFile:
    """The file's text; `name` is what mistakes call it."""
    try:
        deep = _too_deep(text)
        root, document = (None, None) if deep else _read(text)
        found = list(_keys_twice(root, ()))
    except yaml.YAMLError as error:
        raise FileRefusedError(_not_yaml(error, text, name)) from None
    except ValueError as error:
        raise FileRefusedError(
            f"{name}: is no YAML: a date or number cannot be one ({error}); put it into quotes, or correct it"
        ) from None
    except RecursionError:
        raise FileRefusedError(f"{name}: has an alias (*) within its own anchor (&); write out what is meant") from None
    if deep:
        raise FileRefusedError(f"{name}:{deep}: has more than {MOST_LEVELS} levels; look for brackets that do not end")
    if root is None or not isinstance(document, dict):
        raise FileRefusedError(f"{name}:1: must be a map of fields; see `mizzen gateway --help` for one to begin with")
    if found:
        raise _refused(found, root, name)
    try:
        file = GatewayFile.model_validate(document)
    except ValidationError as error:
        raise _refused(mistakes(error, GatewayFile), root, name) from None
    found = contradictions(file)
    if found:
        raise _refused(found, root, name)
    return file


def refused(found: Iterable[Mistake], path: Path) -> FileRefusedError:
    """Mistakes of a file that holds together, with their lines."""
    root, _ = _read(path.read_text("utf-8"))
    assert root is not None, "it has been read"
    return _refused(found, root, str(path))


def _too_deep(text: str) -> int:
    """Line of the first level that is one too many; 0 where there is none. Raises yaml.YAMLError."""
    level = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
            if level > MOST_LEVELS:
                assert event.start_mark is not None, "parsed of a text"
                return int(event.start_mark.line) + 1
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1
    return 0


def _read(text: str) -> tuple[yaml.Node | None, Any]:
    """What is written, with its lines, and what it says. Raises yaml.YAMLError."""
    loader = LOADER(text)
    try:
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


def _refused(found: Iterable[Mistake], root: yaml.Node, name: str) -> FileRefusedError:
    listed = list(found)
    lines = [f"{name}:{_line(root, one.location)}: {one}" for one in listed[:SHOWN]]
    if len(listed) > SHOWN:
        lines.append(f"{name}: and {len(listed) - SHOWN} more")
    return FileRefusedError("\n".join(lines))


def _not_yaml(error: yaml.YAMLError, text: str, name: str) -> str:
    if isinstance(error, ReaderError):
        line = text.encode()[: error.position].count(b"\n") + 1
        return f"{name}:{line}: is no text: holds a control character; save it as plain text in UTF-8"
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return f"{name}: is no YAML ({error})"
    said = error.problem or error.context or "cannot be understood"
    return (
        f"{name}:{mark.line + 1}: is no YAML: {said}; look at that line and the one above: indentation, colons, quotes"
    )


def _line(root: yaml.Node, location: tuple[str | int, ...]) -> int:
    """Line of the field, or of the nearest thing around it that is there; from 1."""
    node: yaml.Node = root
    line = root.start_mark.line
    for part in location:
        found = _below(node, part)
        if found is None:
            break
        key, node = found
        line = key.start_mark.line
    return int(line) + 1


def _below(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """(where it is written, what it holds)."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        entry = node.value[part] if part < len(node.value) else None
        return None if entry is None else (entry, entry)
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == part), None)
    return None


def _keys_twice(node: Any, place: tuple[str | int, ...]) -> Iterable[Mistake]:
    """YAML takes the last of two silently: what the first said would be lost."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            here = (*place, name)
            if name in seen:
                yield Mistake(here, f"is there twice, again in line {key.start_mark.line + 1}; keep one of them")
            seen.add(name)
            yield from _keys_twice(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _keys_twice(value, (*place, number))
