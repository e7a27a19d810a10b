"""Where do keys of content, audit and stored secrets come from? The folder, or files that settings name."""

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
    named = settings_from(environment).named_secrets
    assert read_secrets(folder, named=named).content_keys == (bytes.fromhex(NEW), bytes.fromhex(OLD))
    del environment["MIZZEN_FILES_KEY_FILE"]
    of_folder = bytes.fromhex((folder / "files-key").read_text())
    assert read_secrets(folder, named=settings_from(environment).named_secrets).content_keys == (of_folder,)


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
        read_secrets(folder, named={"files-key": tmp_path / "key"})


def test_keys_of_audit_and_of_stored_secrets_come_from_files_of_their_own(folder: Path, tmp_path: Path) -> None:
    environment = {"MIZZEN_DATA_DIR": str(tmp_path), "MIZZEN_SECRETS_DIR": str(folder)}
    for name, text in (("AUDIT_KEY", NEW), ("AUDIT_SINK_TOKEN", "tellme"), ("SEALING_KEY", f"{OLD}\n{NEW}")):
        file = tmp_path / name
        file.write_text(text)
        environment[f"MIZZEN_{name}_FILE"] = str(file)
    settings = settings_from(environment)
    read = read_secrets(folder, named=settings.named_secrets)
    assert (read.audit_keys, read.audit_sink_token) == ((NEW,), "tellme")
    assert settings.sealing_key_file == tmp_path / "SEALING_KEY"


@pytest.mark.parametrize("name", ["audit-key", "audit-sink-token", "sealing-key"])
def test_a_named_file_that_is_not_there_is_never_taken_for_no_key(folder: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=f"MIZZEN_{name.upper().replace('-', '_')}_FILE must name a file"):
        read_secrets(folder, named={name: tmp_path / "away"})
