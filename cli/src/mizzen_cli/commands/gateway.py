"""`mizzen gateway`: the gateway alone, in front of servers that are there already, by one file."""

import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mizzen_cli.errors import CommandError, ExitCode

# The types of the file take a third of a second to load: the functions below import what they need, so that other
# commands start without it.
if TYPE_CHECKING:
    from mizzen_gateway.standalone.config import GatewayFile, Route

DEFAULT_FILE = Path("gateway.yaml")
NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
VARIABLE = "MIZZEN_GATEWAY_CONFIG"
EXAMPLE = """\b
A file to begin with:
  upstreams:
    - {name: local, url: http://127.0.0.1:8000/v1}
  models:
    - {name: small, upstreams: \\[local], upstream_name: the-name-that-the-server-uses}
  projects:
    - name: team-a
      keys:
        - {name: laptop, id: ..., digest: ...}      # from `mizzen gateway key laptop`
"""
Config = Annotated[Path, typer.Option("-c", "--config", help="The file.", show_default=True)]

app = typer.Typer(
    help="Run the gateway alone, in front of any OpenAI-compatible or Open Inference server, by one file.",
    epilog=EXAMPLE,
)


@app.callback(invoke_without_command=True)
def run(context: typer.Context, config: Config = DEFAULT_FILE) -> None:
    """Run the gateway alone, in front of any OpenAI-compatible or Open Inference server, by one file.

    It needs no cluster and no control plane. A change of the file is taken up within a second, without a request lost;
    a file with a mistake changes nothing. SIGTERM drains and ends it.
    """
    if context.invoked_subcommand is not None:
        return
    _with_secrets(config)
    os.environ[VARIABLE] = str(config.absolute())
    os.execv(sys.executable, [sys.executable, "-m", "mizzen_gateway"])  # noqa: S606 - it becomes the gateway


@app.command("check")
def check(
    config: Config = DEFAULT_FILE,
    file: Annotated[Path | None, typer.Argument(help="The file, as --config names it.")] = None,
) -> None:
    """Check a file as the gateway would, secrets and certificates included; say what it serves. Starts nothing."""
    from mizzen_gateway.errors import CannotStartError
    from mizzen_gateway.standalone.access import snapshot_of
    from mizzen_gateway.standalone.objects import dials_of
    from mizzen_gateway.standalone.settings import in_words_of_the_file, settings_from
    from mizzen_gateway.wiring import authority_in, certificate_in

    config = file or config
    read, path = _with_secrets(config), config.absolute()
    try:
        settings = settings_from(read, path)
        snapshot = snapshot_of(read, path.parent, 1)
        dials_of(read, path.parent)
        certificate_in(settings.tls_dir)
        authority_in(None if settings.traces is None else settings.traces.ca, "MIZZEN_TRACES_CA")
    except CannotStartError as error:
        raise CommandError(f"{config}: {in_words_of_the_file(str(error))}", ExitCode.USAGE) from None
    print(f"{config} is right.")
    for model in read.models:
        print(f"model {model.name} at {', '.join(model.upstreams)}")
    for route in read.routes:
        print(f"route {route.name} {_ways(route)}")
    now = datetime.now(UTC)
    for project in read.projects:
        expired = sum(one.until is not None and one.until <= now for one in project.keys)
        print(f"project {project.name} with {len(project.keys)} key(s){f', {expired} of them expired' * bool(expired)}")
    held = len({one.id for one in snapshot.limits}), len({one.id for one in snapshot.budgets})
    print(f"{held[0]} limit(s), {held[1]} budget(s), {len(snapshot.prices)} price(s)")


def _ways(route: "Route") -> str:
    """Where it leads."""
    ways = [f"to {', '.join(share.model for share in route.models)}" if route.models else ""]
    ways += [f"through {', '.join(step.model for step in route.pipeline)}" if route.pipeline else ""]
    ways += [f"by {one.name} to {', '.join(share.model for share in one.models)}" for one in route.by_header]
    ways += [f"falls back to {', '.join(route.fallbacks)}" if route.fallbacks else ""]
    ways += [f"copied to {', '.join(copy.model for copy in route.mirrors)}" if route.mirrors else ""]
    return "; ".join(way for way in ways if way)


@app.command("key")
def key(
    name: Annotated[str, typer.Argument(help="What the key is called in the file.")] = "my-key",
    config: Annotated[
        Path | None, typer.Option("-c", "--config", help="The file, where it names a `pepper`: digests depend on it.")
    ] = None,
) -> None:
    """Make a key: the key itself, shown once, on standard output; what goes into the file on standard error."""
    from mizzen_gateway.errors import CannotStartError
    from mizzen_gateway.standalone.access import pepper_of
    from mizzen_gateway.standalone.keys import fresh_key

    if not re.fullmatch(NAME, name):
        raise CommandError(f"{name!r} is no name of a key: use lower-case letters, digits and `-`.", ExitCode.USAGE)
    try:
        pepper = b"" if config is None else pepper_of(_read(config), config.absolute().parent)
    except CannotStartError as error:
        raise CommandError(f"{config}: {error}", ExitCode.USAGE) from None
    made = fresh_key(pepper)
    print(made.text)
    sys.stderr.write(
        "The line above is the key: give it to the caller, it is not kept. Below `keys:` of a project goes:\n"
        f'      - {{name: {name}, id: {made.id}, digest: "{made.digest}"}}\n'
    )


@app.command("usage")
def usage(
    config: Config = DEFAULT_FILE,
    since: Annotated[
        datetime | None, typer.Option(help="First moment, in UTC.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="First moment after it, in UTC.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
    ] = None,
) -> None:
    """Write usage as CSV to standard output, one line a request; while the gateway runs, too."""
    from mizzen_gateway.standalone.csv_export import write_csv
    from mizzen_gateway.standalone.ledger import FILE_NAME, events

    ledger = config.absolute().parent / _read(config).data_dir / FILE_NAME
    try:
        write_csv(events(ledger, since, until), sys.stdout)
    except BrokenPipeError:
        # Who reads has seen enough; what is still held back must not fail either, at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise CommandError(f"{error}.", ExitCode.NOT_FOUND) from None


def _with_secrets(config: Path) -> "GatewayFile":
    """The file, where all secrets are that it names."""
    from mizzen_gateway.standalone.missing import missing
    from mizzen_gateway.standalone.reading import refused

    read = _read(config)
    if absent := list(missing(read, config.absolute().parent)):
        raise CommandError(str(refused(absent, config)), ExitCode.USAGE)
    return read


def _read(config: Path) -> "GatewayFile":
    from mizzen_gateway.standalone.reading import FileRefusedError, read_file

    try:
        return read_file(config)
    except FileRefusedError as error:
        raise CommandError(str(error), ExitCode.USAGE) from None
