"""What a scan says: findings, each with its file, rule, severity and detail, bounded in number."""

from dataclasses import dataclass, field
from typing import Final

SEVERITIES: Final = ("info", "low", "medium", "high", "critical")
"""From the mildest on."""
MOST_FINDINGS: Final = 500
LONGEST_DETAIL: Final = 300


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    file: str
    """Path in the version; inside an archive with `!` between the archive and its entry."""
    rule: str
    """Such as pickle-import."""
    severity: str
    """One of SEVERITIES."""
    detail: str
    """For people. Never the secret that was found."""


@dataclass(slots=True)
class Findings:
    """Findings as they come; those over the limit are counted and not kept."""

    kept: list[Finding] = field(default_factory=list)
    left_out: int = 0
    seen: set[tuple[str, str, str]] = field(default_factory=set)

    def add(self, file: str, rule: str, severity: str, detail: str) -> None:
        """One more; the same thing twice is one finding."""
        detail = "".join(letter if letter.isprintable() else "?" for letter in detail)[:LONGEST_DETAIL]
        mark = (file, rule, detail)
        if mark in self.seen:
            return
        if len(self.kept) >= MOST_FINDINGS:
            self.left_out += 1
            return
        self.seen.add(mark)
        self.kept.append(Finding(file[:1024], rule, severity, detail))


def rank(severity: str) -> int:
    """Its place among SEVERITIES."""
    return SEVERITIES.index(severity)
