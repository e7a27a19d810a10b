"""What do several workers measure together? Their texts of /metrics, added up; no counter ever falls."""

LARGEST = frozenset(
    {
        "mizzen_gateway_snapshot_age_seconds",
        "mizzen_gateway_spool_oldest_seconds",
        "mizzen_gateway_spool_closed",
    }
)
"""Gauges of which the worst worker's tells most."""
SMALLEST = frozenset(
    {"mizzen_gateway_snapshot_version", "mizzen_gateway_endpoint_healthy", "mizzen_gateway_limits_store_up"}
)
"""Gauges of which the one farthest behind tells most."""

Series = dict[str, float]
"""Name and labels, as in the text, to value."""


class Exposition:
    """Texts of /metrics, put together."""

    def __init__(self) -> None:
        self._heads: dict[str, list[str]] = {}
        self._values: dict[str, Series] = {}
        self._kinds: dict[str, str] = {}

    def add(self, text: str) -> None:
        """Take in the text of one worker."""
        family = ""
        for line in text.splitlines():
            if line.startswith("#"):
                _, word, family, rest = [*line.split(" ", 3), ""][:4]
                if word == "TYPE":
                    self._kinds[family] = rest
                head = self._heads.setdefault(family, [])
                if line not in head:
                    head.append(line)
            elif line:
                key, _, value = line.rpartition(" ")
                self._put(family, key, float(value))

    def add_series(self, series: Series) -> None:
        """Take in what workers counted that are gone."""
        for key, value in series.items():
            families = [name for name in self._heads if key.startswith(name)]
            if families:
                self._put(max(families, key=len), key, value)

    def _put(self, family: str, key: str, value: float) -> None:
        values = self._values.setdefault(family, {})
        held = values.get(key)
        if held is None:
            values[key] = value
        elif family in LARGEST:
            values[key] = max(held, value)
        elif family in SMALLEST:
            values[key] = min(held, value)
        else:
            values[key] = held + value

    @property
    def counted(self) -> Series:
        """Counters and histograms: what must not fall when a worker ends."""
        return {
            key: value
            for family, values in self._values.items()
            if self._kinds.get(family) in {"counter", "histogram"}
            for key, value in values.items()
        }

    def text(self) -> str:
        """As a worker would write it."""
        lines: list[str] = []
        for family, head in self._heads.items():
            lines.extend(head)
            lines.extend(f"{key} {value!r}" for key, value in self._values.get(family, {}).items())
        return "\n".join(lines) + "\n"
