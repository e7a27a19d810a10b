"""`mizzen get -w`: a table, then each row again when something in it changes."""

import sys
import time
from collections.abc import Callable, Sequence

from mizzen_cli.output import Column, Row, cell_text

POLL_SECONDS = 0.5
GAP = "   "


def watch(rows: Callable[[], list[Row]], columns: Sequence[Column]) -> None:
    """Print rows as they change until Ctrl-C, in columns that grow and never shrink. What only ages does not count."""
    widths = [len(each.heading) for each in columns]
    shown: dict[str, list[str]] = {}
    pending = [[each.heading for each in columns]]
    while True:
        for row in rows():
            cells = [cell_text(each.cell(row)) for each in columns]
            lasting = [cell for each, cell in zip(columns, cells, strict=True) if each.heading != "AGE"]
            if shown.get(row["name"]) != lasting:
                shown[row["name"]] = lasting
                pending.append(cells)
        _print(pending, widths)
        pending.clear()
        time.sleep(POLL_SECONDS)


def _print(lines: list[list[str]], widths: list[int]) -> None:
    for cells in lines:
        widths[:] = [max(width, len(cell)) for width, cell in zip(widths, cells, strict=True)]
    for cells in lines:
        line = GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()
