"""Which metrics do the programs have? Names as Prometheus sees them, read from their sources."""

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("gateway", "controlplane", "operator")
DEFINED = re.compile(r"(Gauge|Counter|Histogram)(?:MetricFamily)?\(\s*\"(mizzen_\w+)\"")
OF_A_FAMILY = re.compile(r"_family\(\s*(Gauge|Counter)MetricFamily, \"(\w+)\"")
"""Those of the gateway whose names are put together."""
TIMES = re.compile(r"\(\"(\w+)\", \"[^\"]+\", attrgetter\(")
FACT = re.compile(r"\"(\w+)\": float\(")
WRITTEN = re.compile(r"# TYPE (mizzen_\w+) ")
"""Those that a program writes out itself."""
ENDS = {"Gauge": ("",), "Counter": ("_total",), "Histogram": ("", "_bucket", "_count", "_sum")}


@cache
def metric_names() -> frozenset[str]:
    """All of them."""
    sources = "".join(path.read_text() for name in PROGRAMS for path in sorted((ROOT / name / "src").rglob("*.py")))
    defined = DEFINED.findall(sources)
    defined += [(kind, f"mizzen_gateway_{name}") for kind, name in OF_A_FAMILY.findall(sources)]
    defined += [("Histogram", f"mizzen_gateway_{name}_seconds") for name in TIMES.findall(sources)]
    facts = (ROOT / "operator/src/mizzen_operator/operation.py").read_text().split("def _facts")[1].split("def ")[0]
    names = {f"mizzen_operator_{name}" for name in FACT.findall(facts)}
    names |= set(WRITTEN.findall(sources))
    for kind, name in defined:
        names |= {name + end for end in ENDS[kind]}
    return frozenset(names)
