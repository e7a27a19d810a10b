"""`mizzen chat|infer`: call a model as an application would, through the gateway."""

from typing import Annotated

import typer

from mizzen_cli.data_plane import GatewayClient
from mizzen_cli.output import Column, Format, Output, column, show, write
from mizzen_cli.session import Project, current_context
from mizzen_cli.tensors import data_text, request_body

Model = Annotated[str, typer.Argument(help="Served name of the model.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command("chat")(chat)
    app.command("infer")(infer)


def chat(
    model: Model,
    prompt: Annotated[str, typer.Argument(help="What to say.")],
    system: Annotated[str | None, typer.Option(help="System message.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens to generate at most.")] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Send one message to a chat model and print the answer as it comes; json and yaml: the whole answer."""
    messages = [{"role": "system", "content": system}] if system else []
    body = {"model": model, "messages": [*messages, {"role": "user", "content": prompt}], "stream": True}
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    with GatewayClient(current_context(project)) as gateway:
        if output in (Format.JSON, Format.YAML):
            write(gateway.post("/v1/chat/completions", {**body, "stream": False}), output)
            return
        for event in gateway.events("/v1/chat/completions", body):
            for choice in event.get("choices", []):
                typer.echo(choice.get("delta", {}).get("content") or "", nl=False)
    typer.echo("")


def infer(
    model: Model,
    given: Annotated[list[str], typer.Option("--input", "-i", help="NAME=VALUE; VALUE is JSON, text or @FILE.")],
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Send tensors to a model and print its outputs; reads the signature to build the request."""
    with GatewayClient(current_context(project)) as gateway:
        metadata = gateway.get(f"/v2/models/{model}")
        answer = gateway.post(f"/v2/models/{model}/infer", request_body(metadata, given))
    if output in (Format.JSON, Format.YAML):
        write(answer, output)
        return
    columns = (
        column("OUTPUT", "name"),
        column("TYPE", "datatype"),
        column("SHAPE"),
        Column("DATA", data_text),
    )
    show(answer["outputs"], columns, output)
