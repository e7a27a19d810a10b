"""Which versions are in use, and which of them lean on a key?"""

from typing import Any

import pytest
from mizzen_controlplane.models.signing.in_use import named, unvouched


def test_aliases_and_deployments_and_their_adapters_name_versions() -> None:
    specs: dict[str, dict[str, Any]] = {
        "follows": {"model": {"versionRef": {"model": "a", "alias": "champion"}}},
        "pinned": {
            "model": {"versionRef": {"model": "a", "version": 2}},
            "adapters": [{"name": "x", "versionRef": {"model": "lora", "version": 5}}, {"name": "y", "uri": "hf://y"}],
        },
        "nowhere": {"model": {"versionRef": {"model": "a", "alias": "absent"}}},
    }
    used = named({("a", "champion"): 3}, specs)
    assert {version: (one.aliases, one.deployments) for version, one in used.items()} == {
        ("a", 3): (["champion"], ["follows"]),
        ("a", 2): ([], ["pinned"]),
        ("lora", 5): ([], ["pinned"]),
    }


@pytest.mark.parametrize(
    ("made", "key", "leans"),
    [
        ({}, None, True),
        ({"k": False}, None, True),
        ({"k": True}, None, False),
        ({}, "k", False),
        ({"k": True}, "k", True),
        ({"k": False}, "k", True),
        ({"k": True, "other": True}, "k", False),
        ({"k": True, "other": False}, "k", True),
    ],
)
def test_a_version_leans_on_a_key_where_no_other_trusted_one_signed(
    made: dict[str, bool], key: str | None, leans: bool
) -> None:
    assert unvouched(made, key) is leans
