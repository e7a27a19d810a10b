"""A skip is accepted only with a published reason."""

from pathlib import Path

import pytest
from skips import PUBLISHED, published, skipped, unpublished

REPORT = """<testsuites><testsuite>
<testcase classname="tests.unit.test_a" name="test_runs"/>
<testcase classname="tests.unit.test_a" name="test_needs_x"><skipped message="no x here"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def report(tmp_path: Path) -> Path:
    file = tmp_path / "report.xml"
    file.write_text(REPORT)
    return file


def test_a_skip_without_a_published_reason_is_told(report: Path) -> None:
    (sentence,) = unpublished(report, {})
    assert "tests.unit.test_a::test_needs_x was skipped (no x here)" in sentence


def test_a_published_skip_is_accepted(report: Path) -> None:
    assert unpublished(report, published("# why\ntests.unit.test_a::test_needs_x: x is a machine\n")) == []
    assert len(list(skipped(report))) == 1


def test_every_published_line_has_a_reason() -> None:
    assert all(reason.strip() for reason in published(PUBLISHED.read_text()).values())
