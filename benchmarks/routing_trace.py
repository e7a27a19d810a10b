"""Which prompts arrive, when, and how long are the answers? Recorded lengths and times; what prompts share is made up.

The trace (AzureLLMInferenceTrace_code, CC-BY 4.0) has arrival times and lengths, no texts. Prefixes are synthesised:
each request continues one of the sessions that were active in the last minutes, with CONTINUES chance, if its prompt is
at least as long as what the session has said before; else it begins a session. A session belongs to one of REPOSITORIES
(Zipf), whose context begins every prompt of it, after what all prompts share; the rest of a prompt is its own.
"""

import csv
import os
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from pathlib import Path

TOKENS_A_BLOCK = 64
"""256 bytes of text, at four bytes a token."""
FILE = "azure_llm_2023_code.csv"
SHARED_BLOCKS = 4
"""What all prompts begin with: 256 tokens of system prompt."""
REPOSITORIES = 60
LONGEST_REPOSITORY_BLOCKS = 24
CONTINUES = 0.7
ACTIVE_SESSIONS = 400
SYNTHETIC_REQUESTS = 8_000


@dataclass(frozen=True)
class Arrival:
    """One request."""

    at: float
    """Seconds since the first."""
    blocks: tuple[int, ...]
    """Whole blocks of its prompt, each named by all that comes before it too."""
    prompt_tokens: int
    output_tokens: int
    session: int


@dataclass
class Session:
    """What was said so far."""

    number: int
    blocks: tuple[int, ...]


def trace_file() -> Path | None:
    """The recorded trace; None where it is not there."""
    named = os.environ.get("MIZZEN_TRACE_DIR")
    folders = [Path(named)] if named else [Path(__file__).resolve().parents[2] / "shared/data", Path("../shared/data")]
    return next((folder / FILE for folder in folders if (folder / FILE).exists()), None)


def recorded(file: Path | None, chance: random.Random) -> list[tuple[float, int, int]]:
    """(seconds, prompt tokens, output tokens) of each request; without a file a seeded synthetic trace."""
    if file is None:
        gaps = [chance.expovariate(2.5) for _ in range(SYNTHETIC_REQUESTS)]
        lengths = [(int(chance.lognormvariate(7.3, 0.9)), 1 + int(chance.expovariate(1 / 27))) for _ in gaps]
        return [(at, min(size, 7400), out) for at, (size, out) in zip(accumulate(gaps), lengths, strict=True)]
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    times = [datetime.fromisoformat(row["TIMESTAMP"][:26]) for row in rows]
    return [
        ((time - times[0]).total_seconds(), int(row["ContextTokens"]), int(row["GeneratedTokens"]))
        for time, row in zip(times, rows, strict=True)
    ]


def arrivals(rows: Sequence[tuple[float, int, int]], speed: float, chance: random.Random) -> Iterator[Arrival]:
    """The trace `speed` times as fast, with prefixes."""
    active: deque[Session] = deque(maxlen=ACTIVE_SESSIONS)
    weights = [1 / (rank + 1) for rank in range(REPOSITORIES)]
    sizes = [chance.randint(2, LONGEST_REPOSITORY_BLOCKS) for _ in range(REPOSITORIES)]
    fresh = 0
    for at, prompt_tokens, output_tokens in rows:
        count = prompt_tokens // TOKENS_A_BLOCK
        session = _continued(active, count, chance)
        if session is None:
            (place,) = chance.choices(range(REPOSITORIES), weights)
            fresh += 1
            session = Session(fresh, _named((), [(-1, n) for n in range(SHARED_BLOCKS)]))
            session.blocks = _named(session.blocks, [(place, n) for n in range(sizes[place])])
            active.append(session)
        blocks = session.blocks[:count]
        blocks = _named(blocks, [(at, n) for n in range(count - len(blocks))])
        session.blocks = blocks
        yield Arrival(at / speed, blocks, prompt_tokens, output_tokens, session.number)


def _continued(active: deque[Session], count: int, chance: random.Random) -> Session | None:
    if chance.random() >= CONTINUES:
        return None
    able = [one for one in active if len(one.blocks) <= count]
    return chance.choice(able) if able else None


def _named(before: tuple[int, ...], parts: list[tuple[float, int]]) -> tuple[int, ...]:
    found = list(before)
    for part in parts:
        found.append(hash((found[-1] if found else 0, part)))
    return tuple(found)
