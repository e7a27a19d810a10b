"""Whom do pods of a revision trust for registry and operator? The authorities that the operator was given."""

from pathlib import Path

import pytest
from mizzen_operator.settings import SettingError, settings_from

ONE = "-----BEGIN CERTIFICATE-----\nb25l\n-----END CERTIFICATE-----"
TWO = "-----BEGIN CERTIFICATE-----\ndHdv\n-----END CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"


VARIABLES = {"MIZZEN_CONTROLPLANE_CA": "registry_ca", "MIZZEN_OPERATOR_CA": "operator_ca"}


@pytest.mark.parametrize("variable", VARIABLES)
def test_revisions_are_given_all_certificates_of_the_file_and_nothing_else_of_it(tmp_path: Path, variable: str) -> None:
    file = tmp_path / "ca.crt"
    file.write_text(f"# old\n{ONE}\n{KEY}\n# new\n{TWO}\n")
    plan = settings_from({variable: str(file)}).plan
    given = {name: getattr(plan, field) for name, field in VARIABLES.items()}
    assert given == dict.fromkeys(VARIABLES, "") | {variable: f"{ONE}\n{TWO}\n"}


def test_without_an_authority_nothing_of_a_revision_changes() -> None:
    plan = settings_from({}).plan
    assert (plan.registry_ca, plan.operator_ca) == ("", "")


def test_pods_report_over_tls_where_the_operator_speaks_it() -> None:
    assert settings_from({}).plan.operator_url.startswith("http://")
    assert settings_from({"MIZZEN_TLS_DIR": "/run/tls"}).plan.operator_url.startswith("https://")


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("text", [None, KEY])
def test_a_file_without_a_certificate_is_one_sentence(tmp_path: Path, text: str | None, variable: str) -> None:
    file = tmp_path / "ca.crt"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingError, match=variable):
        settings_from({variable: str(file)})
