"""A control plane that dies twenty times while it answers POSTs: repeated with their keys, each happened once."""

from pathlib import Path

from support.killed_creates import mistakes_after_kills


def test_creates_that_are_killed_twenty_times_and_repeated_happen_once_each(tmp_path: Path) -> None:
    assert mistakes_after_kills(tmp_path, rounds=20) == []
