"""What the reference tells of the gateway is what there is: its settings with their defaults, codes and metrics."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from mizzen_gateway import settings
from mizzen_gateway.describing.refusals import REFUSALS
from mizzen_gateway.wire.inheritance import VARIABLE
from support.metric_names import metric_names

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs/reference/gateway.md").read_text()
BETWEEN = (ROOT / "docs/reference/between-programs.md").read_text()
NAME = re.compile(r"MIZZEN_[A-Z_]*[A-Z]")
METRIC = re.compile(r"mizzen_(?:gateway|controlplane|operator)_[a-z_]*[a-z]")
KEPT_BY_THE_CONTROL_PLANE = ROOT / "controlplane/src/mizzen_controlplane/batches"
"""Its refusals of files and batches are passed on."""


def rows(section: str) -> Iterator[list[str]]:
    """Cells of each line of the tables below a heading."""
    for line in REFERENCE.split(f"\n## {section}\n")[1].split("\n## ")[0].splitlines():
        if line.startswith("| ") and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def constants(folder: Path) -> set[str]:
    """Texts in the sources below it."""
    trees = (ast.parse(path.read_text()) for path in sorted(folder.rglob("*.py")))
    found = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {value for value in found if isinstance(value, str)}


def test_every_setting_that_is_read_is_told_and_the_other_way_round() -> None:
    read = {text for text in constants(ROOT / "gateway/src") if NAME.fullmatch(text)} - {VARIABLE}
    of_the_gateway = [line for line in BETWEEN.splitlines() if line.startswith("| gateway |")]
    told = {name for text in (REFERENCE, *of_the_gateway) for name in NAME.findall(text)}
    others = {"MIZZEN_GATEWAY_SUBJECT"}  # whom the control plane knows it by
    assert len(read) > 40
    assert read - told == set()
    assert told - read - others == set()


def test_defaults_of_numbers_are_those_that_hold() -> None:
    assert settings.__file__ is not None
    read: dict[str, float] = {}
    for node in ast.walk(ast.parse(Path(settings.__file__).read_text())):
        match node:
            case ast.Call(func=ast.Name("_whole" | "_seconds"), args=[_, ast.Constant(str(name)), default]):
                if not isinstance(default, ast.IfExp):
                    read[name] = eval(ast.unparse(default), vars(settings))
    told = {name.strip("`"): default for name, default, *_ in rows("Settings")}
    named = read.keys() & told.keys() - {"MIZZEN_GRPC_PORT"}
    assert len(named) > 15
    assert {name: float(told[name]) for name in named} == {name: read[name] for name in named}


def test_every_code_is_told_with_its_status_and_the_other_way_round() -> None:
    told = {
        (int(status), code)
        for statuses, codes, *_ in rows("Refusals")
        if statuses != "status"
        for status in statuses.split(", ")
        for code in re.findall(r"`(\w+)`", codes)
    }
    refused = {(status, code) for status, codes in REFUSALS.items() for code in codes}
    passed_on = constants(KEPT_BY_THE_CONTROL_PLANE)
    assert len(refused) > 30
    assert refused - told == set()
    assert {one for one in told - refused if one[1] not in passed_on} == set()


def test_every_metric_is_told_and_the_other_way_round() -> None:
    there = {name for name in metric_names() if name.startswith("mizzen_gateway_")}
    there = {name for name in there if not re.search(r"_(bucket|count|sum)$", name)}
    told = {
        name if name.startswith("mizzen_") else f"mizzen_gateway{name}"
        for cells in rows("What it tells of itself")
        for name in re.findall(r"`(\w+)`", cells[0])
    }
    assert len(there) > 40
    assert there - told == set()
    assert told - there == set()


def test_every_metric_that_any_page_names_is_there() -> None:
    there = metric_names()
    named = {(path.name, name) for path in (ROOT / "docs").rglob("*.md") for name in METRIC.findall(path.read_text())}
    assert len(named) > 40
    assert {one for one in named if one[1] not in there} == set()
