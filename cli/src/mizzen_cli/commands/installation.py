"""`mizzen up|down|status|env|doctor`: Mizzen on this machine."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mizzen_cli.client import ApiClient
from mizzen_cli.context import Context, load_context, read_context, write_context
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.local.data_folder import default_data_dir
from mizzen_cli.local.lifecycle import InstallationStatus, UpOptions
from mizzen_cli.local.lifecycle import down as stop_all
from mizzen_cli.local.lifecycle import status as local_status
from mizzen_cli.local.lifecycle import up as start_all
from mizzen_cli.output import Format, Output, column, show, tell

DataDir = Annotated[
    Path | None,
    typer.Option(
        envvar="MIZZEN_DATA_DIR", help="Data folder; by default that of the context, else the XDG data folder."
    ),
]
LOCAL_KEY = "local"


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    for command in (up, down, status, env, doctor):
        app.command(command.__name__)(command)


def up(
    data_dir: DataDir = None,
    port: Annotated[int | None, typer.Option(help="Port of the control plane.", min=1, max=65535)] = None,
    gateway_port: Annotated[int | None, typer.Option(help="Port of the gateway.", min=1, max=65535)] = None,
    grpc_port: Annotated[
        int | None,
        typer.Option(help="Port of the gateway for gRPC (/v2); 0: none, as at the first start.", min=0, max=65535),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Start Mizzen on this machine and return when it is ready. Repeating it changes nothing."""
    console = Console(stderr=True)
    with console.status("starting") as spinner:
        result = start_all(UpOptions(data_dir_of(data_dir), port, gateway_port, grpc_port), spinner.update)
    # The file as it is: what the environment overrides is not this installation's.
    context = read_context()
    if context and not context.api_key:
        write_context(_with_local_key(context))
    word = "already running" if result.already_running else f"ready in {result.seconds:.1f} s"
    grpc = f"  gRPC           {result.grpc}   (/v2)\n" if result.grpc else ""
    text = (
        f"Mizzen is {word}.\n"
        f"  control plane  {result.controlplane_url}\n"
        f"  gateway        {result.gateway_url}   (/v1 and /v2)\n"
        f"{grpc}"
        f"  data           {result.data_dir}\n"
        'Next: eval "$(mizzen env)" sets OPENAI_BASE_URL and OPENAI_API_KEY; `mizzen --help` lists what you can do.'
    )
    facts = {
        "controlplane_url": result.controlplane_url,
        "gateway_url": result.gateway_url,
        "grpc": result.grpc,
        "data_dir": str(result.data_dir),
        "already_running": result.already_running,
        "seconds": round(result.seconds, 3),
    }
    tell(text, facts, output, name="gateway_url")


def down(data_dir: DataDir = None, output: Output = Format.TABLE) -> None:
    """Stop everything that `mizzen up` started; requests under way finish first. Data stays."""
    console = Console(stderr=True)
    with console.status("stopping") as spinner:
        folder = data_dir_of(data_dir)
        ran = stop_all(folder, spinner.update)
    facts = {"data_dir": str(folder), "stopped": ran}
    tell("Mizzen has stopped." if ran else "Nothing ran.", facts, output, name="data_dir")


def status(data_dir: DataDir = None, output: Output = Format.TABLE) -> None:
    """Show what runs; exit code 1 when something does not."""
    seen = local_status(data_dir_of(data_dir))
    if seen is None:
        raise CommandError(f"No data folder {data_dir_of(data_dir)}. Start with `mizzen up`.", ExitCode.NOT_FOUND)
    rows = list(_status_rows(seen))
    columns = (
        column("KIND"),
        column("NAME"),
        column("STATE"),
        column("RESTARTS"),
        column("ADDRESS"),
        column("MESSAGE", spare=True),
    )
    show(rows, columns, output)
    if not seen.ready:
        raise CommandError(f"Not everything runs. `mizzen up` starts what is missing; logs: {seen.data_dir}/logs.")


def env(output: Output = Format.TABLE) -> None:
    """Print the lines that let OpenAI's clients in this shell call Mizzen: eval "$(mizzen env)"."""
    context = load_context()
    if not context.api_key:
        raise CommandError("The context has no API key. Run `mizzen up`, or `mizzen keys create NAME`.", ExitCode.USAGE)
    facts = {"OPENAI_BASE_URL": f"{context.gateway_url}/v1", "OPENAI_API_KEY": context.api_key}
    text = "\n".join(f"export {name}={value}" for name, value in facts.items())
    tell(text, facts, output, name="OPENAI_BASE_URL")


def doctor(data_dir: DataDir = None, output: Output = Format.TABLE) -> None:
    """Look for what this machine lacks, and say how to get it; exit code 1 when something is missing."""
    # It loads the runtimes' types, a third of a second that no other command should wait for.
    from mizzen_cli.examination import examine

    findings = asyncio.run(examine(data_dir_of(data_dir)))
    rows = [{"name": each.name, "state": each.state, "detail": each.detail, "remedy": each.remedy} for each in findings]
    show(rows, (column("CHECK", "name"), column("STATE"), column("DETAIL"), column("REMEDY", spare=True)), output)
    if output is Format.TABLE and any(each.state == "later" for each in findings):
        typer.echo("\nlater: Mizzen starts without it; see to it before you use what it is for.")
    if any(each.state == "missing" for each in findings):
        raise CommandError("Something is missing: see REMEDY above.")


def data_dir_of(given: Path | None) -> Path:
    """The data folder that a command means: the one given, else the context's, else the usual one."""
    if given:
        return given.absolute()
    context = read_context()
    return Path(context.data_dir) if context and context.data_dir else default_data_dir()


def _with_local_key(context: Context) -> Context:
    """The context with a key of its own for `chat`, `infer` and `env`; an older one gets a new secret."""
    with ApiClient(context) as api:
        names = {key["name"] for key in api.items(api.path("keys")) if key["state"] == "ACTIVE"}
        path = api.path("keys")
        made = api.post(f"{path}/{LOCAL_KEY}:rotate") if LOCAL_KEY in names else api.post(path, {"name": LOCAL_KEY})
    return Context(
        context.controlplane_url,
        context.gateway_url,
        token=context.token,
        project=context.project,
        data_dir=context.data_dir,
        api_key=made["secret"],
    )


def _status_rows(seen: InstallationStatus) -> list[dict[str, object]]:
    supervisor: dict[str, object] = {
        "kind": "program",
        "name": "supervisor",
        "state": "ready" if seen.supervised else "stopped",
    }
    programs: list[dict[str, object]] = [
        {"kind": "program", "name": each.name, "state": each.state, "restarts": each.restarts, "address": each.url}
        for each in seen.programs
    ]
    pods: list[dict[str, object]] = [
        {
            "kind": "pod",
            "name": f"{each.namespace}/{each.name}",
            "state": each.state,
            "restarts": each.restarts,
            "address": each.address,
            "message": each.message,
        }
        for each in seen.pods
    ]
    return [supervisor, *programs, *pods]
