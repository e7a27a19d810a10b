"""A control plane that dies while it answers POSTs: repeated with their keys, nothing is lost and nothing is twice.

One kill at a moment by chance; `tests/long` has twenty.
"""

from pathlib import Path

from support.killed_creates import mistakes_after_kills


def test_creates_that_are_killed_and_repeated_happen_once_each(tmp_path: Path) -> None:
    assert mistakes_after_kills(tmp_path, rounds=1) == []
