"""How commands print: a table for people, or json, yaml and names for scripts."""

import json
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

Row = dict[str, Any]


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


def column(heading: str, *path: str) -> Column:
    """A column that reads the value under a path of keys; by default the heading in lower case."""
    keys = path or (heading.lower(),)
    return Column(heading, lambda row: _dig(row, keys))


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


def write(value: Any, output: Format) -> None:
    """Print a value as json or yaml."""
    if output is Format.YAML:
        yaml.safe_dump(value, sys.stdout, sort_keys=False, allow_unicode=True)
    else:
        json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")


def _print_table(rows: list[Row], columns: Sequence[Column]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns:
        table.add_column(heading.heading, overflow="fold")
    for row in rows:
        table.add_row(*(_text(heading.cell(row)) for heading in columns))
    # A pipe has no width: never fold what a script will read.
    console = Console() if sys.stdout.isatty() else Console(width=10_000)
    console.print(table) if rows else console.print("Nothing found.")


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


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)
