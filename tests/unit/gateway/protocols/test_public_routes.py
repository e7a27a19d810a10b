"""The published list of routes that need no key is the list that the code goes by."""

import re
from pathlib import Path

from mizzen_gateway.protocols.surface import GETS, POSTS

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "README.md"


def test_the_gateways_public_routes_are_those_that_are_published() -> None:
    rows = (line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| gateway |"))
    published = {route for row in rows for route in re.findall(r"`(/[^`]*)`", row[2])}
    assert published == {path.decode() for path, route in (GETS | POSTS).items() if route.public}
