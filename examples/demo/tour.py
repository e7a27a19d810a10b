"""The tour's own Mizzen: a data folder, ports and a context of its own, and the `mizzen` command on it."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

REPOSITORY = Path(__file__).resolve().parents[2]


class StepFailedError(Exception):
    """A step did not see what it should have seen."""


class Tour:
    """Runs `mizzen` commands; takes everything down at the end, also after a failure or Ctrl-C."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port, self.gateway_port = _free_ports(2)
        self.gateway_url = f"http://127.0.0.1:{self.gateway_port}"
        self._environment = {**os.environ, "MIZZEN_CONFIG": str(data_dir / "config.yaml")}

    def __enter__(self) -> "Tour":
        if self.data_dir.exists():
            self.mizzen("down", "--data-dir", str(self.data_dir), check=False)
            shutil.rmtree(self.data_dir)
        self.data_dir.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.mizzen("down", "--data-dir", str(self.data_dir), check=False)

    def mizzen(self, *arguments: str, check: bool = True, quiet: bool = False) -> str:
        """Run one command as a person would, print what it printed, and return it.

        Raises:
            StepFailedError: it did not exit with 0.
        """
        if not quiet:
            say(f"$ mizzen {' '.join(arguments)}")
        command = [sys.executable, "-m", "mizzen_cli.main", *arguments]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, cwd=REPOSITORY
        )
        if check and done.returncode != 0:
            raise StepFailedError(
                f"`mizzen {' '.join(arguments)}` exited with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        if not quiet and check:
            say(done.stdout.strip())
        return done.stdout

    def read(self, *arguments: str) -> Any:
        """The result of a command as data."""
        return orjson.loads(self.mizzen(*arguments, "-o", "json", quiet=True))

    def run(self, *command: str) -> None:
        """Run another program of the checkout, its output shown as it comes."""
        say(f"$ {' '.join(command)}")
        done = subprocess.run(
            [sys.executable, *command[1:]], cwd=REPOSITORY, check=False, text=True, capture_output=True
        )
        say(done.stdout.strip())
        if done.returncode != 0:
            raise StepFailedError(f"{' '.join(command)} exited with {done.returncode}:\n{done.stderr}")


def say(text: str) -> None:
    """Print what a step saw, indented."""
    for line in text.splitlines():
        print(f"    {line}", flush=True)


def expect(fact: bool, otherwise: str) -> None:
    """Hold the step to a fact.

    Raises:
        StepFailedError: it does not hold.
    """
    if not fact:
        raise StepFailedError(otherwise)


def _free_ports(count: int) -> list[int]:
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return ports
