"""How tags change: those that are given are merged in, null removes one."""

from collections.abc import Mapping

from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.models.records.schemas import MAX_TAGS


def merged_tags(present: Mapping[str, str], given: Mapping[str, str | None]) -> dict[str, str]:
    """The tags afterwards; raises Invalid where there would be too many."""
    merged = {name: value for name, value in {**present, **given}.items() if value is not None}
    if len(merged) > MAX_TAGS:
        raise invalid_field("/tags", f"There would be {len(merged)} tags, and {MAX_TAGS} are the most. Remove some.")
    return merged
