"""The data folder, its secrets and the context file: who may read them, and when they are refused."""

import stat
from pathlib import Path

import pytest
from mizzen_cli.context import Context, load_context, read_context, write_context
from mizzen_cli.errors import CommandError
from mizzen_cli.local.credentials import FIRST_PASSWORD, PROGRAM_TOKENS, RANDOM_HEX, ensure_credentials
from mizzen_cli.local.data_folder import DataFolderError, open_data_folder
from mizzen_cli.local.json_file import read_json, write_json


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_keeps_its_id_and_is_closed_to_others(tmp_path: Path) -> None:
    first = open_data_folder(tmp_path / "data", create=True)
    again = open_data_folder(tmp_path / "data")
    assert first == again
    assert first
    assert mode(first.root) == 0o700
    assert all(mode(each) == 0o700 for each in first.folders)


def test_no_folder_is_made_unasked(tmp_path: Path) -> None:
    assert open_data_folder(tmp_path / "data") is None
    assert not (tmp_path / "data").exists()


def test_a_folder_of_a_newer_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    open_data_folder(tmp_path / "data", create=True)
    marker = tmp_path / "data" / "mizzen.json"
    write_json(marker, {**read_json(marker), "layout": 99})
    with pytest.raises(DataFolderError, match=r"layout version 99.*versions up to 1.*--data-dir"):
        open_data_folder(tmp_path / "data", create=True)


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    # A file in the way refuses root as well, which permission bits do not.
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderError, match=r"cannot be written.*--data-dir"):
        open_data_folder(tmp_path / "file" / "data", create=True)


def test_a_folder_with_something_else_in_it_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("")
    with pytest.raises(DataFolderError, match="no data folder of Mizzen"):
        open_data_folder(tmp_path, create=True)


def test_secrets_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    ensure_credentials(folder)
    before = {each.name: each.read_text() for each in folder.iterdir()}
    ensure_credentials(folder)
    assert {each.name: each.read_text() for each in folder.iterdir()} == before
    assert set(before) == {*PROGRAM_TOKENS, *RANDOM_HEX, FIRST_PASSWORD}
    assert mode(folder) == 0o700
    assert {mode(each) for each in folder.iterdir()} == {0o600}
    for name in PROGRAM_TOKENS:
        prefix, word, text = before[name].split("_")
        assert (prefix, word, len(text), text.isalnum()) == ("mzt", name, 43, True)


def test_the_context_file_is_private_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config" / "config.yaml"
    monkeypatch.setenv("MIZZEN_CONFIG", str(path))
    context = Context("http://127.0.0.1:1", "http://127.0.0.1:2", token="mzt_admin_x", data_dir="/data")
    write_context(context)
    assert mode(path) == 0o600
    assert read_context() == context
    assert "mzt_admin_x" not in repr(context)
    monkeypatch.setenv("MIZZEN_PROJECT", "other")
    assert load_context() == context.with_project("other")


def test_without_a_context_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIZZEN_CONFIG", str(tmp_path / "none.yaml"))
    with pytest.raises(CommandError, match="mizzen up"):
        load_context()
