"""The published list of routes that need no key or token is the list that the code goes by."""

import re
from pathlib import Path

from mizzen_controlplane.kit.auth import PUBLIC_PATHS

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "README.md"


def published(program: str) -> set[str]:
    """The routes of a program on the page."""
    rows = (line.split("|") for line in PAGE.read_text().splitlines() if line.startswith(f"| {program} |"))
    return {route for row in rows for route in re.findall(r"`(/[^`]*)`", row[2])}


def test_the_control_planes_public_routes_are_those_that_are_published() -> None:
    assert published("control plane") == PUBLIC_PATHS
