"""A known vulnerability is red, and a machine that can ask nobody says so."""

from typing import Any

import advisories
import pytest

SAFE: dict[str, Any] = {"name": "safe", "version": "1.0", "vulns": []}
HIT: dict[str, Any] = {
    "name": "hit",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"], "aliases": ["CVE-2026-1"]}],
}
UNASKED: dict[str, Any] = {"name": "own", "skip_reason": "not found"}


def test_a_known_vulnerability_is_told_with_the_version_that_mends_it() -> None:
    assert advisories.verdict([SAFE, HIT]) == (False, ["hit 1.0: PYSEC-2026-1, mended in 1.1; raise it in uv.lock"])


def test_an_accepted_one_passes_by_any_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisories, "ACCEPTED", {"CVE-2026-1": "that function is never called"})
    assert advisories.verdict([HIT])[0]


@pytest.mark.parametrize("packages", [None, [], [UNASKED]])
def test_where_nothing_could_be_asked_it_passes_and_says_that_nothing_was_audited(
    packages: list[dict[str, Any]] | None,
) -> None:
    passes, (sentence,) = advisories.verdict(packages)
    assert passes
    assert "NOT AUDITED" in sentence


def test_packages_that_could_not_be_asked_are_counted() -> None:
    assert advisories.verdict([SAFE, UNASKED]) == (True, ["advisories: none for 1 packages, NOT AUDITED: 1"])
