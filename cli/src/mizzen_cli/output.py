"""How commands print: a table for people, or json, yaml and names for scripts."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = dict[str, Any]
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
_FRACTION = re.compile(r"(T\d\d:\d\d:\d\d)\.\d+(Z|[+-]\d\d:\d\d)")
_WIDEST = 10_000


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


Output = Annotated[Format, typer.Option("-o", "--output", help="How to print the result.")]


@dataclass(frozen=True)
class Column:
    """A column of a table: a heading, and how a cell is read from a row."""

    heading: str
    cell: Callable[[Row], Any]
    spare: bool = False
    """Left out where no row has anything in it."""


def column(heading: str, *path: str, spare: bool = False) -> Column:
    """A column that reads the value under a path of keys; by default the heading in lower case."""
    keys = path or (heading.lower(),)
    return Column(heading, lambda row: _dig(row, keys), spare)


def show(rows: Iterable[Row], columns: Sequence[Column], output: Format, name: str = "name") -> None:
    """Print a list in the wanted format; `name` is the key that `-o name` prints."""
    listed = list(rows)
    if output is Format.TABLE:
        _print_table(listed, columns)
    elif output is Format.NAME:
        sys.stdout.writelines(f"{row[name]}\n" for row in listed)
    else:
        write(listed, output)


def show_one(row: Row, columns: Sequence[Column], output: Format, name: str = "name") -> None:
    """Print one resource: as `show`, but json and yaml without a list around it."""
    if output in (Format.JSON, Format.YAML):
        write(row, output)
    else:
        show([row], columns, output, name)


def acknowledge(sentence: str, row: Row, output: Format, name: str = "name") -> None:
    """Print what a change led to: a sentence for people, else the changed resource."""
    if output is Format.TABLE:
        typer.echo(sentence)
    else:
        show_one(row, (), output, name)


def tell(text: str, row: Row, output: Format, name: str = "name") -> None:
    """Print the outcome of an act: sentences for people, else its facts as json, yaml or one name."""
    if output is Format.TABLE:
        sys.stdout.write(f"{text}\n")
    elif output is Format.NAME:
        sys.stdout.write(f"{row[name]}\n")
    else:
        write(row, output)


def write(value: Any, output: Format) -> None:
    """Print a value as json or yaml."""
    if output is Format.YAML:
        yaml.safe_dump(value, sys.stdout, sort_keys=False, allow_unicode=True)
    else:
        json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")


def _print_table(rows: list[Row], columns: Sequence[Column]) -> None:
    if not rows:
        typer.echo("Nothing found.")
        return
    cells = [[cell_text(each.cell(row)) for each in columns] for row in rows]
    kept = [place for place, each in enumerate(columns) if not each.spare or any(row[place] for row in cells)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place in kept:
        table.add_column(columns[place].heading, overflow="fold")
    for row in cells:
        # Text, not markup: brackets in a message are the message's own.
        table.add_row(*(Text(row[place]) for place in kept))
    # A pipe has no width: never fold what a script will read.
    console = Console() if sys.stdout.isatty() else Console(width=_WIDEST)
    console.print(table)


def age(moment: str | None) -> str:
    """Time since an ISO moment in the largest whole unit: 45s, 12m, 3h, 9d."""
    if not moment:
        return ""
    seconds = int((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def size(count: int | None) -> str:
    """Bytes in the largest unit that leaves a number above 1: 588.0 KiB."""
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def _dig(row: Row, keys: Sequence[str]) -> Any:
    value: Any = row
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def cell_text(value: Any) -> str:
    """A value on one line: moments in whole seconds, digests by their first 12 digits, the last line of several."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(cell_text(item) for item in value)
    return _DIGEST.sub(r"\1", _FRACTION.sub(r"\1\2", last_line(str(value))))


def last_line(text: str) -> str:
    """The last line that says something: where a program failed, it is the one that says why."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def shortened(text: str, length: int) -> str:
    """At most `length` characters, the last of them an ellipsis where something is left out."""
    return text if len(text) <= length else text[: length - 1].rstrip(" ,") + "…"
