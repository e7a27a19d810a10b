"""The command `mizzen` for tests: run within this process (fast) or as a program of its own."""

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from mizzen_cli.main import main

PROGRAM = (str(Path(sys.executable).with_name("mizzen")),)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """A person's shell: the variables that matter to `mizzen`."""

    variables: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """All variables, without those of the person who runs the tests."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("MIZZEN_")},
            **self.variables,
        }

    def __call__(self, *words: object, stdin: str = "", code: int = 0) -> Ended:
        """Run a command here; fails where it ends with another code than `code`."""
        out, err = io.StringIO(), io.StringIO()
        ended = 0
        with (
            patch.dict(os.environ, self.environment, clear=True),
            patch.object(sys, "argv", ["mizzen", *map(str, words)]),
            patch.object(sys, "stdin", io.StringIO(stdin)),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as leaving:
                ended = int(leaving.code or 0)
        result = Ended(ended, out.getvalue(), err.getvalue())
        assert result.code == code, (words, result)
        return result

    def program(self, *words: object) -> subprocess.Popen[str]:
        """Start a command as a program of its own."""
        # A background job of a shell ignores Ctrl-C, and would hand that on to the programs that tests start.
        return subprocess.Popen(
            ["env", "--default-signal=INT", *PROGRAM, *map(str, words)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def command_line(folder: Path, controlplane_url: str, gateway_url: str, token: str, api_key: str = "") -> CommandLine:
    """A shell with a context file of its own."""
    context = {
        "controlplane_url": controlplane_url,
        "gateway_url": gateway_url,
        "token": token,
        "project": "default",
        "data_dir": str(folder / "data"),
        "api_key": api_key,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(context))
    return CommandLine({"MIZZEN_CONFIG": str(folder / "config.yaml"), "HOME": str(folder)})
