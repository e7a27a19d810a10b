"""What pages tell people to type is there: commands of `mizzen` with their options, variables, values of the chart."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from mizzen_cli.main import app

ROOT = Path(__file__).parents[3]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
BLOCK = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
TYPED = re.compile(r"(?:^|[|&] |\$\()\s*(?:\$ )?mizzen ((?:[a-z][a-z-]* ?)+)")
VARIABLE = re.compile(r"MIZZEN_[A-Z_]*[A-Z]")
VALUE = re.compile(r"--set(?:-[a-z]+)? '?((?:gateway|controlplane|operator|monitoring)\.[A-Za-z.]+)=")
SOURCES = (
    "gateway",
    "controlplane",
    "operator",
    "kube",
    "engines",
    "client",
    "cli",
    "crds",
    "charts",
    "tools",
    "tests",
    "examples",
)


def commands(page: Path) -> Iterator[str]:
    """Lines that people type, without their comments; a line that goes on is one."""
    for block in BLOCK.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.partition(" #")[0]


@cache
def program() -> Any:
    """The command line, as click has it."""
    return typer.main.get_command(app)


@cache
def values() -> Any:
    """Of the chart."""
    return yaml.safe_load((ROOT / "charts/mizzen/values.yaml").read_text())


def unknown(line: str) -> str | None:
    """Which word of a command there is none of."""
    found = TYPED.search(line)
    if found is None:
        return None
    command = program()
    for word in found[1].split():
        if not hasattr(command, "commands") or not command.commands:
            break
        if word not in command.commands:
            return f"mizzen {found[1]}" if not command.invoke_without_command else None
        command = command.commands[word]
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    said = re.findall(r" (--[a-z][a-z-]*)", re.split(r" [|&>]", line[found.start() :].lstrip("|&$( "))[0])
    return next((f"mizzen {found[1]}{name}" for name in said if name not in options), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_is_one(page: Path) -> None:
    assert [wrong for line in commands(page) if (wrong := unknown(line)) is not None] == []


def test_a_command_that_is_none_is_found() -> None:
    assert unknown("mizzen keys create x --name") == "mizzen keys create x --name"
    assert unknown("mizzen keyz list") == "mizzen keyz list"
    assert unknown("mizzen keys list | grep --color x") is None
    assert sum(1 for page in PAGES for line in commands(page) if TYPED.search(line)) > 60, "pages are read"


@cache
def variables() -> frozenset[str]:
    """Those that anything of ours reads or sets."""
    paths = (path for folder in SOURCES for path in (ROOT / folder).rglob("*"))
    texts = (
        path.read_text() for path in paths if path.suffix in {".py", ".yaml", ".tpl"} and "golden" not in path.parts
    )
    return frozenset(name for text in (*texts, (ROOT / "Makefile").read_text()) for name in VARIABLE.findall(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_and_value_on_a_page_is_one(page: Path) -> None:
    text = page.read_text()
    assert set(VARIABLE.findall(text)) - variables() == set()
    for path in VALUE.findall(text):
        held = values()
        for part in path.split("."):
            assert part in held, path
            held = held[part]
