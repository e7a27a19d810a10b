"""What gives way when there is too much? Batch requests first, interactive ones last; a caller may lower its own."""

from mizzen_gateway.stages import Headers, Refusal

INTERACTIVE, STANDARD, BATCH = range(3)
"""A lower number goes first."""
NAMES = ("interactive", "standard", "batch")
HEADER = b"x-mizzen-priority"


def priority_of(headers: Headers, highest: int) -> int | Refusal:
    """That of a request: `highest` is its key's, which the header can only lower. 400 for a word that is none."""
    given = headers.get(HEADER)
    if given is None:
        return highest
    word = given.decode("latin-1").strip().lower()
    if word not in NAMES:
        message = (
            f"x-mizzen-priority: {word[:40]!r} is not one of {', '.join(NAMES)}; send one of them, or leave it out."
        )
        return Refusal(400, "invalid_parameter", message, param="x-mizzen-priority")
    return max(highest, NAMES.index(word))
