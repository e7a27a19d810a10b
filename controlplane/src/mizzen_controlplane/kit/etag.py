"""ETag and If-Match: a write that names the state it was made for is refused when that state has passed."""

from typing import Annotated

from fastapi import Depends, Request

from mizzen_controlplane.kit.problem import PreconditionFailed
from mizzen_controlplane.kit.tables import ResourceRow


def etag_of(row: ResourceRow) -> str:
    """The strong ETag of `row`; the id in it keeps a deleted and remade resource apart."""
    return f'"{row.id}.{row.revision}"'


def reads_if_match(request: Request) -> str | None:
    """The header If-Match of `request`."""
    return request.headers.get("if-match")


IfMatch = Annotated[str | None, Depends(reads_if_match)]
"""The header If-Match, for an endpoint's signature."""


def require_match(if_match: str | None, row: ResourceRow | None) -> None:
    """Raise PreconditionFailed unless `if_match` is absent, `*`, or names the present state of `row`."""
    if if_match is None or (row is not None and if_match.strip() == "*"):
        return
    if row is not None and etag_of(row) in [part.strip() for part in if_match.split(",")]:
        return
    now = f"its ETag is {etag_of(row)} now" if row is not None else "it does not exist"
    raise PreconditionFailed(f"If-Match is {if_match}, but {now}. Read it again, then repeat the change.")
