"""The artifact as a format's check sees it: paths and where their content lies. And the one error of all checks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_ELEMENTS: Final = 1 << 53
"""Elements of one artifact's tensors; more would not survive JSON, and 2^53 is a thousand times the largest model."""


class UnfitArtifactError(Exception):
    """The artifact is not what its format says, or carries what is not allowed; the text names file and remedy."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Files of a version, all received."""

    files: Mapping[str, Path]
    """Path in the version -> content on disk."""
    allow_code: bool
    """The project allows artifacts that carry code."""

    def named(self, *suffixes: str) -> dict[str, Path]:
        """Files whose path ends in one of `suffixes`, by path."""
        return {path: content for path, content in sorted(self.files.items()) if path.lower().endswith(suffixes)}
