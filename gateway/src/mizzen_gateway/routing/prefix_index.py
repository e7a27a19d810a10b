"""Which beginnings of prompts has an endpoint read? Hashes of blocks, the least lately used forgotten first.

It is a guess: engines forget by rules of their own. A wrong guess costs the reading of a prompt, never an answer.
"""

from collections.abc import Sequence

BLOCK_BYTES = 256
MOST_BLOCKS = 512
"""Of one prompt; what follows does not tell endpoints apart any more."""


def block_hashes(text: bytes, tenant: str) -> list[int]:
    """A hash for each whole block, of all that comes before it too; of this process alone, and of one tenant.

    Engines keep the prompts of tenants apart, so equal texts of two of them have nothing in common here either.
    """
    hashes: list[int] = []
    before = hash(tenant)
    for start in range(0, min(len(text) // BLOCK_BYTES, MOST_BLOCKS) * BLOCK_BYTES, BLOCK_BYTES):
        before = hash((before, text[start : start + BLOCK_BYTES]))
        hashes.append(before)
    return hashes


class PrefixIndex:
    """The blocks that one endpoint is taken to hold, about 100 bytes each."""

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._blocks)

    def depth(self, blocks: Sequence[int]) -> int:
        """How many of the first blocks it holds. Deeper blocks are forgotten before those that they build on."""
        held = self._blocks
        if not blocks or blocks[0] not in held:
            return 0
        low, high = 1, len(blocks)
        while low < high:
            middle = (low + high + 1) // 2
            if blocks[middle - 1] in held:
                low = middle
            else:
                high = middle - 1
        return low

    def remember(self, blocks: Sequence[int], limit: int) -> None:
        """It reads them now; of more than `limit` blocks those are forgotten that were read longest ago."""
        held = self._blocks
        for block in reversed(blocks):
            held.pop(block, None)
            held[block] = None
        while len(held) > limit:
            del held[next(iter(held))]
