"""Whom do fetches of a revision trust for the registry? The authority that the operator was given, nothing else."""

from pathlib import Path

import pytest
from mizzen_operator.settings import SettingError, settings_from

ONE = "-----BEGIN CERTIFICATE-----\nb25l\n-----END CERTIFICATE-----"
TWO = "-----BEGIN CERTIFICATE-----\ndHdv\n-----END CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"


def test_revisions_are_given_all_certificates_of_the_file_and_nothing_else_of_it(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_text(f"# old\n{ONE}\n{KEY}\n# new\n{TWO}\n")
    assert settings_from({"MIZZEN_CONTROLPLANE_CA": str(file)}).plan.registry_ca == f"{ONE}\n{TWO}\n"


def test_without_an_authority_nothing_of_a_revision_changes() -> None:
    assert settings_from({}).plan.registry_ca == ""


@pytest.mark.parametrize("text", [None, KEY])
def test_a_file_without_a_certificate_is_one_sentence(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "ca.crt"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingError, match="MIZZEN_CONTROLPLANE_CA"):
        settings_from({"MIZZEN_CONTROLPLANE_CA": str(file)})
