"""`docs/reference/cli.md`: every command of `mizzen` with its arguments and options, from the program itself."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer
from mizzen_cli.main import app

_OPENING = """# The command `mizzen`

`mizzen --help` and `mizzen COMMAND --help` show the same text. Which installation the commands talk to stands in the
context file that `mizzen up` writes: `MIZZEN_CONFIG`, or `mizzen/config.yaml` in the XDG configuration folder.
`MIZZEN_CONTROLPLANE_URL`, `MIZZEN_CONTROLPLANE_CA` (PEM file with the authority of its certificate),
`MIZZEN_GATEWAY_URL`, `MIZZEN_TOKEN` and `MIZZEN_PROJECT` override it; `MIZZEN_API_KEY` is the key that `chat` and
`infer` send.

Results go to standard output, progress and errors to standard error. Tables are for people and may change; for scripts
there are `-o json`, `-o yaml` (everything the server tells) and `-o name`. [Exit codes](README.md#exit-codes-of-mizzen)
say how a command ended.
`mizzen --install-completion` teaches the shell (bash, zsh, fish) to complete commands and options.
"""


def commands_page() -> str:
    """The whole page."""
    root: Any = typer.main.get_command(app)
    return "\n".join([_OPENING, *(_chapter(words, command) for words, command in _leaves(root, "mizzen"))])


def _leaves(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        words = f"{prefix} {name}"
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield words, command
            yield from _leaves(command, words)
        else:
            yield words, command


def _chapter(words: str, command: Any) -> str:
    arguments = [each for each in command.params if not each.opts[0].startswith("-")]
    options = [each for each in command.params if each.opts[0].startswith("-") and each.name != "help"]
    usage = " ".join([words, *(_argument(each) for each in arguments)])
    lines = [f"## {words}", "", f"`{usage}`", "", _plain(command.help), ""]
    if rows := [_row(each) for each in (*arguments, *options)]:
        lines += ["| argument or option | default | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def _row(parameter: Any) -> str:
    cells = (f"`{_spelling(parameter)}`", _default(parameter), _plain(parameter.help or "") + _variable(parameter))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _spelling(parameter: Any) -> str:
    if not parameter.opts[0].startswith("-"):
        return _argument(parameter)
    value = "" if parameter.is_flag else f" {_value(parameter)}"
    return ", ".join([*parameter.opts, *parameter.secondary_opts]) + value


def _value(parameter: Any) -> str:
    if isinstance(parameter.default, Enum):
        return "|".join(str(each.value) for each in type(parameter.default))
    return str(parameter.metavar or parameter.opts[-1].strip("-").upper().replace("-", "_"))


def _default(parameter: Any) -> str:
    if parameter.required:
        return "*required*"
    default = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    if default is None:
        return ""
    if getattr(parameter, "is_flag", False):
        spelled = parameter.opts[-1] if default else (parameter.secondary_opts or [""])[-1]
        return f"`{spelled}`" if spelled else ""
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _variable(parameter: Any) -> str:
    return f" Variable: `{parameter.envvar}`." if getattr(parameter, "envvar", None) else ""


def _plain(text: str) -> str:
    return " ".join(text.split())
