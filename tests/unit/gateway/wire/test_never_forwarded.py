"""Headers that no setting passes on: a caller's key stays here, and a message keeps one length."""

from pathlib import Path

import pytest
from mizzen_gateway.settings import SettingsError, read_settings
from mizzen_gateway.standalone.config import GatewayFile
from mizzen_gateway.standalone.contradictions import contradictions
from mizzen_gateway.wire.never_forwarded import FRAMING, KEYS, WRITTEN
from support.alone import a_file

NEVER = sorted(KEYS | FRAMING | WRITTEN)


def settings_with(folder: Path, headers: str) -> tuple[str, ...]:
    (folder / "secret").write_text("00" * 32)
    secrets = {name: str(folder / "secret") for name in ("MIZZEN_TOKEN_FILE", "MIZZEN_PEPPER_FILE")}
    environment = {"MIZZEN_CONTROLPLANE_URL": "http://x", "MIZZEN_DATA_DIR": str(folder), **secrets}
    return read_settings({**environment, "MIZZEN_FORWARD_HEADERS": headers}).forwarded_headers


@pytest.mark.parametrize("name", NEVER)
def test_the_setting_and_the_file_refuse_it_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=f"MIZZEN_FORWARD_HEADERS: '{name}' .*leave it out"):
        settings_with(tmp_path, f"x-tenant, {name.title()}")
    file = GatewayFile.model_validate(a_file("http://127.0.0.1:9", forward_headers=["x-tenant", name]))
    [found] = [str(one) for one in contradictions(file)]
    assert found.startswith(f"forward_headers[1]: '{name}' ")


def test_what_is_no_name_is_refused_and_others_are_taken_with_blanks_around_them(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="must be the name of a header"):
        settings_with(tmp_path, "x-tenant\r\nhost: a")
    assert settings_with(tmp_path, "x-tenant, X-Region,") == ("x-tenant", "x-region")


def test_what_carries_keys_in_this_gateway_is_among_them() -> None:
    assert {"authorization", "x-api-key", "api-key"} <= KEYS
