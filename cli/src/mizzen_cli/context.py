"""Which installation the commands talk to: the context file, written by `mizzen up` or by hand, readable by its owner.

It is `MIZZEN_CONFIG`, or `mizzen/config.yaml` in the XDG configuration folder. MIZZEN_CONTROLPLANE_URL,
MIZZEN_CONTROLPLANE_CA, MIZZEN_GATEWAY_URL, MIZZEN_TOKEN and MIZZEN_PROJECT override its values.
"""

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

import yaml

from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.local.json_file import write_private

DEFAULT_PROJECT = "default"
OVERRIDES = {
    "MIZZEN_CONTROLPLANE_URL": "controlplane_url",
    "MIZZEN_CONTROLPLANE_CA": "controlplane_ca",
    "MIZZEN_GATEWAY_URL": "gateway_url",
    "MIZZEN_TOKEN": "token",
    "MIZZEN_PROJECT": "project",
}


@dataclass(frozen=True)
class Context:
    """A connection to one installation."""

    controlplane_url: str
    """Where the REST API and the console are."""
    gateway_url: str
    """Where models are called."""
    token: str = field(default="", repr=False)
    """Token of a person or of the administrator."""
    project: str = DEFAULT_PROJECT
    """Project that commands act on."""
    data_dir: str = ""
    """Data folder, where the installation runs on this machine."""
    api_key: str = field(default="", repr=False)
    """Key that `mizzen chat`, `infer` and `env` call models with."""
    controlplane_ca: str = ""
    """PEM file with the authority of the control plane's certificate; empty for those that this machine trusts."""

    def with_project(self, project: str) -> Self:
        """The same connection, another project."""
        return replace(self, project=project)


def context_path() -> Path:
    """Where the context file is."""
    if given := os.environ.get("MIZZEN_CONFIG"):
        return Path(given)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mizzen" / "config.yaml"


def read_context(path: Path | None = None) -> Context | None:
    """The context as the file has it; None where there is no file.

    Raises:
        CommandError: the file is not what `write_context` writes.
    """
    path = path or context_path()
    try:
        body = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, yaml.YAMLError) as error:
        raise CommandError(f"{path} cannot be read ({error}); remove it and run `mizzen up`", ExitCode.USAGE) from error
    if not isinstance(body, dict) or not {"controlplane_url", "gateway_url"} <= body.keys():
        raise CommandError(f"{path}: no controlplane_url and gateway_url in it; run `mizzen up`", ExitCode.USAGE)
    known = Context.__dataclass_fields__.keys()
    return Context(**{name: str(value) for name, value in body.items() if name in known})


def load_context() -> Context:
    """The context that commands use, with what the environment overrides.

    Raises:
        CommandError: neither a file nor the environment says where the control plane is.
    """
    given = {name: os.environ[variable] for variable, name in OVERRIDES.items() if os.environ.get(variable)}
    context = read_context()
    if context is None:
        if not {"controlplane_url", "gateway_url"} <= given.keys():
            raise CommandError(
                f"no context file {context_path()}: start Mizzen here with `mizzen up`, or set "
                "MIZZEN_CONTROLPLANE_URL, MIZZEN_GATEWAY_URL and MIZZEN_TOKEN",
                ExitCode.USAGE,
            )
        return Context(**given)
    return replace(context, **given)


def token_source() -> str:
    """Where the token that commands send comes from, for a sentence about one that is refused."""
    return "the variable MIZZEN_TOKEN" if os.environ.get("MIZZEN_TOKEN") else f"the context file {context_path()}"


def key_source() -> str:
    """Where the key that `chat` and `infer` send comes from, for a sentence about one that is refused."""
    return "the variable MIZZEN_API_KEY" if os.environ.get("MIZZEN_API_KEY") else f"the context file {context_path()}"


def write_context(context: Context, path: Path | None = None) -> Path:
    """Write the context file, mode 0600; returns where."""
    path = path or context_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, yaml.safe_dump(asdict(context), sort_keys=False).encode())
    return path
