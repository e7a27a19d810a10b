"""Where does the key of callers' files come from? The folder of secrets, or the file that a setting names."""

from pathlib import Path

import pytest
from mizzen_controlplane.kit.secret_folder import read_secrets
from mizzen_controlplane.kit.settings import SettingsError, settings_from
from support.controlplane import write_secrets

NEW, OLD = "ab" * 32, "cd" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_secrets(tmp_path / "secrets")
    return tmp_path / "secrets"


def test_the_file_that_is_named_wins_over_that_of_the_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{NEW}\n{OLD}\n")
    environment = {
        "MIZZEN_DATA_DIR": str(tmp_path),
        "MIZZEN_SECRETS_DIR": str(folder),
        "MIZZEN_FILES_KEY_FILE": str(tmp_path / "key"),
    }
    named = settings_from(environment).files_key_file
    assert read_secrets(folder, content_key_file=named).content_keys == (bytes.fromhex(NEW), bytes.fromhex(OLD))
    del environment["MIZZEN_FILES_KEY_FILE"]
    of_folder = bytes.fromhex((folder / "files-key").read_text())
    assert read_secrets(folder, content_key_file=settings_from(environment).files_key_file).content_keys == (of_folder,)


def test_without_any_key_nothing_is_kept(folder: Path) -> None:
    (folder / "files-key").unlink()
    assert read_secrets(folder).content_keys == ()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "MIZZEN_FILES_KEY_FILE must name a file"), ("secret", "64 hexadecimal digits"), ("", "is empty")],
)
def test_a_named_file_that_holds_no_key_ends_the_start(
    folder: Path, tmp_path: Path, content: str | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    with pytest.raises(SettingsError, match=sentence):
        read_secrets(folder, content_key_file=tmp_path / "key")
