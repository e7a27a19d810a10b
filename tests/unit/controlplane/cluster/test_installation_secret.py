"""What is made of an installation's Secret, empty, full, half full, or written by another at the same moment?"""

import base64
import stat
from pathlib import Path
from typing import Any

import pytest
from mizzen_controlplane.cluster.installation_secret import (
    FIRST_PASSWORD,
    KEYS,
    SEALING_KEY,
    installation_secrets,
    lay_out,
)
from mizzen_controlplane.kit.secret_folder import ADMIN_ALONE, read_secrets
from mizzen_controlplane.kit.settings import SettingsError
from mizzen_kube.errors import ConflictError, NotFoundError


class OneSecret:
    """An API server with one Secret; `rival` is what somebody else writes right before the first patch."""

    def __init__(self, data: dict[str, str] | None, rival: dict[str, str] | None = None) -> None:
        self.data = data
        self.rival = rival
        self.patches = 0

    async def get(self, _resource: object, name: str, namespace: str = "") -> dict[str, object]:
        if self.data is None:
            raise NotFoundError(f"{namespace}/{name}")
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in self.data.items()}
        return {"metadata": {"uid": "u", "resourceVersion": "1"}} | ({"data": encoded} if encoded else {})

    async def json_patch(
        self, _resource: object, _name: str, _namespace: str, operations: list[dict[str, Any]], *, field_manager: str
    ) -> dict[str, object]:
        assert field_manager == "mizzen-controlplane"
        assert [each["path"] for each in operations] == ["/metadata/uid", "/metadata/resourceVersion", "/data"]
        if self.rival is not None:
            self.data, self.rival = self.rival, None
            raise ConflictError("somebody was faster")
        self.patches += 1
        self.data = {key: base64.b64decode(value).decode() for key, value in operations[-1]["value"].items()}
        return {}


async def made(api: OneSecret, *, make: bool = True) -> dict[str, str]:
    return dict(await installation_secrets(api, "mizzen-system", "mizzen-secrets", make=make))


async def test_an_empty_secret_is_filled_once_and_the_control_plane_reads_it(tmp_path: Path) -> None:
    api = OneSecret({})
    first = await made(api)
    assert (await made(api), api.patches) == (first, 1)
    assert set(first) == {*KEYS, SEALING_KEY, FIRST_PASSWORD}
    lay_out(first, tmp_path)
    assert read_secrets(tmp_path, ADMIN_ALONE).pepper == first["pepper"].encode()
    assert {stat.S_IMODE((tmp_path / key).stat().st_mode) for key in KEYS} == {0o600}


async def test_of_two_first_starts_the_faster_counts() -> None:
    theirs = {"pepper": "p", "page-key": "k", "admin": "a", "sealing-key": "s"}
    assert await made(OneSecret({}, rival=theirs)) == theirs


async def test_a_key_that_a_newer_release_needs_is_added_beside_the_others() -> None:
    api = OneSecret({"pepper": "p", "admin": "a", "other": "kept"})
    assert (await made(api))["pepper"] == "p"
    assert api.data is not None
    assert api.data["other"] == "kept"


async def test_an_installation_of_a_release_without_sealing_key_gets_one_and_nothing_else() -> None:
    api = OneSecret({"pepper": "p", "page-key": "k", "admin": "a"})
    assert set(await made(api)) == {*KEYS, SEALING_KEY}
    theirs = {"pepper": "p", "page-key": "k", "admin": "a"}
    assert await made(OneSecret(dict(theirs)), make=False) == theirs


async def test_a_lost_pepper_is_never_replaced() -> None:
    api = OneSecret({"admin": "a"})
    with pytest.raises(SettingsError, match=r"no pepper.*backup"):
        await made(api)
    assert api.patches == 0


async def test_somebody_elses_secret_is_not_written() -> None:
    api = OneSecret({"pepper": "p"})
    with pytest.raises(SettingsError, match="has no page-key and admin"):
        await made(api, make=False)
    assert api.patches == 0


async def test_a_missing_secret_names_the_remedy() -> None:
    with pytest.raises(SettingsError, match=r"no Secret mizzen-system/mizzen-secrets.*Apply the chart"):
        await made(OneSecret(None))
