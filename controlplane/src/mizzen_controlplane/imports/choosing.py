"""Which of the listed files are taken? Those that a pattern means; without patterns all but hidden ones."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from mizzen_controlplane.imports.origin import Listing, OriginFile
from mizzen_controlplane.kit.problem import Invalid


def chosen(listing: Listing, patterns: Sequence[str]) -> Listing:
    """The listing without the rest; raises Invalid for a pattern that means no file."""
    if not patterns:
        return Listing(tuple(file for file in listing.files if not _hidden(file)), listing.revision)
    for pattern in patterns:
        if not any(fnmatchcase(file.path, pattern) for file in listing.files):
            raise Invalid(f"`files` names {pattern!r}, and no file of the source is called so.", code="file_not_found")
    kept = (file for file in listing.files if any(fnmatchcase(file.path, pattern) for pattern in patterns))
    return Listing(tuple(kept), listing.revision)


def _hidden(file: OriginFile) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in file.path.split("/"))
