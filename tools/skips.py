"""Has every skipped test a published reason? `python tools/skips.py REPORT.xml` reads pytest's JUnit report.

`tests/skips.txt` lists the reasons that are accepted, a line each: the beginning of the test's id, `: `, and why.
A skip that is not on it fails the run: a server that a test needs is installed, or the run fails.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "tests/skips.txt"


def published(text: str) -> dict[str, str]:
    """Beginning of a test's id -> the accepted reason."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def skipped(report: Path) -> Iterator[tuple[str, str]]:
    """Id and message of every skipped or expectedly failing test in a JUnit report."""
    for case in ElementTree.parse(report).iter("testcase"):
        for skip in case.findall("skipped"):
            yield f"{case.get('classname')}::{case.get('name')}", skip.get("message", "")


def unpublished(report: Path, accepted: dict[str, str]) -> list[str]:
    """A sentence for each skip without a published reason."""
    return [
        f"{test} was skipped ({message}); install what it needs, or publish the reason in tests/skips.txt"
        for test, message in skipped(report)
        if not any(test.startswith(beginning) for beginning in accepted)
    ]


def main() -> int:
    """Exit code 1 where a skip has no published reason."""
    report = Path(sys.argv[1])
    found = unpublished(report, published(PUBLISHED.read_text()))
    print(*found, f"skips: {sum(1 for _ in skipped(report))}, without a published reason: {len(found)}", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
