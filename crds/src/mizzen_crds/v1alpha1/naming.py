"""Which names may an object have that labels, addresses and quotas are named after?"""

from typing import Final

from mizzen_crds.rules import Rule

SHORT_NAME_RULE: Final = Rule(
    "",
    "metadata.name",
    "must have at most 63 characters and no dot, because labels and other objects' fields hold it; shorten it",
    "self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",
    lambda it: len(it.metadata.name) <= 63 and "." not in it.metadata.name,
)
"""For objects whose name is a label's value elsewhere."""
