"""Tables for people, json, yaml and names for scripts."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from mizzen_cli.output import (
    Column,
    Format,
    acknowledge,
    age,
    cell_text,
    column,
    last_line,
    shortened,
    show,
    show_one,
    size,
)

ROWS = [{"name": "a", "state": "READY", "reason": ""}, {"name": "b", "state": "FAILED", "reason": "[/no] markup"}]
COLUMNS = (
    column("NAME"),
    column("STATE"),
    column("REASON", spare=True),
    Column("LENGTH", lambda row: len(row["name"])),
)


def test_a_table_has_headings_and_prints_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show(ROWS, COLUMNS, Format.TABLE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "REASON", "LENGTH"]
    assert "[/no] markup" in lines[2]


def test_a_spare_column_goes_where_it_would_be_empty(capsys: pytest.CaptureFixture[str]) -> None:
    show(ROWS[:1], COLUMNS, Format.TABLE)
    assert "REASON" not in capsys.readouterr().out


def test_a_pipe_gets_each_row_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"name": "a", "state": "word " * 100}], COLUMNS[:2], Format.TABLE)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_nothing_to_list_is_said_in_a_table_and_empty_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    show([], COLUMNS, Format.TABLE)
    show([], COLUMNS, Format.NAME)
    show([], COLUMNS, Format.JSON)
    assert capsys.readouterr().out == "Nothing found.\n[]\n"


def test_json_and_yaml_hold_everything_and_one_resource_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    show(ROWS, COLUMNS, Format.JSON)
    assert json.loads(capsys.readouterr().out) == ROWS
    show_one(ROWS[0], COLUMNS, Format.YAML)
    assert yaml.safe_load(capsys.readouterr().out) == ROWS[0]


def test_names_are_printed_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show(ROWS, COLUMNS, Format.NAME)
    assert capsys.readouterr().out == "a\nb\n"


@pytest.mark.parametrize(("output", "printed"), [(Format.TABLE, "done."), (Format.NAME, "a"), (Format.JSON, '"READY"')])
def test_a_change_is_a_sentence_for_people_and_a_resource_for_scripts(
    output: Format, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    acknowledge("done.", ROWS[0], output)
    assert printed in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (0, "0"),
        (["a", "b"], "a,b"),
        ("2026-11-22T21:44:13.557911Z", "2026-11-22T21:44:13Z"),
        ("2026-11-22T21:44:13.5+08:00", "2026-11-22T21:44:13+08:00"),
        (f"at sha256:{'ab' * 32}.", "at sha256:abababababab."),
        ("Traceback:\n  a frame\nValueError: no\n\n", "ValueError: no"),
    ],
)
def test_a_cell_is_one_short_line(value: object, text: str) -> None:
    assert cell_text(value) == text


def test_ages_and_sizes_are_in_the_largest_unit_that_tells() -> None:
    now = datetime.now(UTC)
    assert age((now - timedelta(minutes=12, seconds=30)).isoformat()) == "12m"
    assert age((now + timedelta(minutes=1)).isoformat()) == "0s"
    assert age(None) == ""
    assert [size(count) for count in (None, 0, 1023, 602112, 5 * 2**40)] == [
        "",
        "0 B",
        "1023 B",
        "588.0 KiB",
        "5.0 TiB",
    ]


def test_long_texts_end_in_an_ellipsis() -> None:
    assert shortened("accuracy=0.8, seed=7", 14) == "accuracy=0.8…"
    assert shortened("short", 14) == "short"
    assert last_line("") == ""
