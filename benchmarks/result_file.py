"""How is a benchmark's result kept? As one JSON file in `benchmarks/results/`, with its goals, samples and machine."""

import json
import os
import platform
import statistics
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass
class Result:
    """One number, its goal where it has one, and the samples that it is the median of."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    comparison: str = "<="
    peer: str | None = None
    samples: list[float] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Within its goal; without one, always."""
        if self.goal is None:
            return True
        return self.value <= self.goal if self.comparison == "<=" else self.value >= self.goal


def median_of(name: str, samples: list[float], unit: str, **fields: object) -> Result:
    """The median of the rounds, with the rounds kept."""
    rounded = [round(sample, 4) for sample in samples]
    return Result(name, round(statistics.median(samples), 4), unit, samples=rounded, **fields)  # type: ignore[arg-type]  # goal and peer


def write_results(
    name: str,
    results: list[Result],
    *,
    seed: int,
    started_at: datetime,
    packages: list[str],
    peers: dict[str, str] | None = None,
) -> Path:
    """Write `results/<name>.json`; its path. `peers` are versions, with flags, of what is no package of ours."""
    ours = {package: version(package) for package in packages}
    versions = {"python": platform.python_version(), **ours, **(peers or {})}
    document = {
        "name": name,
        "commit": _commit(),
        "machine": _machine(),
        "versions": versions,
        "seed": seed,
        "started_at": started_at.astimezone(UTC).isoformat(timespec="seconds"),
        "results": [{**asdict(result), "holds": result.holds} for result in results],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def replace_results(name: str, results: list[Result], *, started_at: datetime) -> Path | None:
    """Put parts that were measured alone in the place of theirs in `results/<name>.json`; None where there is no file.

    Each says of which commit it is, when it began and how busy the machine was; the others stay as they were.
    """
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return None
    document = json.loads(path.read_text())
    alone = {
        "commit": _commit(),
        "started_at": started_at.astimezone(UTC).isoformat(timespec="seconds"),
        "load_average_at_end": os.getloadavg()[0],
    }
    newer = {result.name: {**asdict(result), "holds": result.holds, "measured_alone": alone} for result in results}
    document["results"] = [newer.pop(one["name"], one) for one in document["results"]] + list(newer.values())
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def print_table(results: list[Result]) -> None:
    """For people."""
    for result in results:
        goal = "" if result.goal is None else f"{result.comparison} {result.goal:g}"
        verdict = "" if result.goal is None else ("holds" if result.holds else "MISSED")
        print(f"{result.name:<44} {result.value:>12.4f} {result.unit:<12} {goal:<8} {verdict}", flush=True)


def _commit() -> str:
    return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()


def _machine() -> dict[str, object]:
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_bytes": memory,
        "kernel": platform.release(),
        "load_average_at_end": os.getloadavg()[0],
    }
