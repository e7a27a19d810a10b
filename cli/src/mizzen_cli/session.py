"""What every command starts from: the context, and a client of its control plane."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from mizzen_cli.client import ApiClient
from mizzen_cli.context import Context, load_context

Project = Annotated[
    str | None, typer.Option("-p", "--project", envvar="MIZZEN_PROJECT", help="Project; by default the context's.")
]


def current_context(project: str | None = None) -> Context:
    """The context file's connection, with another project if one is named."""
    context = load_context()
    return context.with_project(project) if project else context


@contextmanager
def session(project: str | None = None) -> Iterator[ApiClient]:
    """A client of the control plane, closed at the end."""
    with ApiClient(current_context(project)) as api:
        yield api
