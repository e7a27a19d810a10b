"""Do people's ways to write a quota mean what they say?"""

import pytest
import typer
from mizzen_cli.commands.quotas import bytes_in


@pytest.mark.parametrize(
    ("text", "meant"), [("500GB", 500 * 10**9), ("1.5TiB", 3 * 2**39), ("1048576", 2**20), ("2 MiB", 2**21)]
)
def test_storage_is_written_with_or_without_a_unit(text: str, meant: int) -> None:
    assert bytes_in(text) == meant


@pytest.mark.parametrize("text", ["", "much", "5 Gb", "-1GB", "1e9"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 500GB"):
        bytes_in(text)
