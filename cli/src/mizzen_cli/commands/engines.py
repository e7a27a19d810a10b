"""`mizzen engines`: the engines of this machine, and their environments."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.output import Format, Output, column, show, size, tell

# The runtimes' types take a third of a second to load: the functions below import what they need, so that other
# commands start without it.
if TYPE_CHECKING:
    from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime

    from mizzen_cli.local.environments import Environments

app = typer.Typer(help="Engines and their environments on this machine.", no_args_is_help=True)


@app.command("list")
def list_engines(output: Output = Format.TABLE) -> None:
    """List the engines and whether their environment is made."""
    from mizzen_operator.runtimes.builtin import builtin_runtimes

    from mizzen_cli.local.environments import Environments, default_cache

    environments = Environments(default_cache())
    rows = [_row(name, runtime, environments) for name, runtime in builtin_runtimes().items()]
    columns = (column("NAME"), column("ENGINE"), column("INSTALLED"), column("SIZE"), column("WHEN"), column("FORMATS"))
    show(rows, columns, output)


@app.command("install")
def install(
    name: Annotated[str, typer.Argument(help="Engine, as `mizzen engines list` names it.")],
    output: Output = Format.TABLE,
) -> None:
    """Make an engine's environment now, with progress. Once made, it is used by every data folder."""
    from mizzen_operator.runtimes.builtin import builtin_runtimes

    from mizzen_cli.local.environments import EnvironmentMissingError, Environments, default_cache

    runtimes = {key.lower(): (key, runtime) for key, runtime in builtin_runtimes().items()}
    if name.lower() not in runtimes:
        raise CommandError(f"No engine {name}. There are: {', '.join(sorted(runtimes))}.", ExitCode.NOT_FOUND)
    key, runtime = runtimes[name.lower()]
    console = Console(stderr=True)
    try:
        with console.status(f"{key}: waiting") as spinner:
            made = Environments(default_cache()).make(
                key, runtime.spec.local, lambda line: spinner.update(f"{key}: {line}")
            )
            path = asyncio.run(made)
    except EnvironmentMissingError as error:
        raise CommandError(str(error)) from error
    tell(f"{key} is installed in {path}", {"name": key, "path": str(path)}, output)


def _row(name: str, runtime: "ServingRuntime", environments: "Environments") -> dict[str, object]:
    local = runtime.spec.local
    return {
        "name": name,
        "engine": runtime.spec.engine.value,
        "installed": environments.ready(local),
        "size": size(local.size_bytes) if local.size_bytes else "",
        "when": "with mizzen engines install" if local.install == "Explicit" else "at the first deployment",
        "formats": [each.value for each in runtime.spec.formats],
    }
