"""The lines of a log that tell why an engine ended."""

from hypothesis import given
from hypothesis import strategies as st
from mizzen_operator.engine_words import MOST_CHARACTERS, telling_lines

OPTIONS = "\n".join(f"| --option-{number:<40} | {'value':<60} |" for number in range(60))
TRITON = f"""I1122 10:00:00.000001 17 server.cc:604] "started"
E1122 10:00:01.000001 17 model_lifecycle.cc:654] "failed to load 'sentiment' version 1: Internal: no such op: Foo"
+-----------+---------+---------------------+
| Model     | Version | Status              |
+-----------+---------+---------------------+
{OPTIONS}
error: creating server: Internal - failed to load all models
"""


def test_of_tritons_last_words_the_reason_is_kept_and_its_table_of_options_is_not() -> None:
    told = telling_lines(TRITON)
    assert "no such op: Foo" in told
    assert "failed to load all models" in told
    assert "--option" not in told


def test_of_a_traceback_the_error_is_kept() -> None:
    log = 'Traceback (most recent call last):\n  File "serve.py", line 3\nValueError: max_model_len is 4096\n'
    assert telling_lines(log) == "ValueError: max_model_len is 4096"


def test_a_log_without_an_error_gives_its_last_lines() -> None:
    assert telling_lines("\n".join(f"step {number}" for number in range(1000)), 14) == "step 999"
    assert telling_lines("loading\nready\n") == "loading\nready"


def test_one_line_that_is_too_long_keeps_its_beginning() -> None:
    assert telling_lines("RuntimeError: shapes differ " + "x" * 9000).startswith("RuntimeError: shapes differ")


@given(st.text(), st.integers(min_value=1, max_value=200))
def test_no_more_is_told_than_fits(text: str, most: int) -> None:
    assert len(telling_lines(text, most)) <= most
    assert len(telling_lines(text * 300)) <= MOST_CHARACTERS
