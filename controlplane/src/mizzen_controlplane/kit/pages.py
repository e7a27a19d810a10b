"""How a list is cut into pages: keyset over (order column, id), with a signed token, a filter and an order.

Grammar: `filter=field op value [AND field op value ...]`, op one of = != < <= > >= : (contains), value bare or in
double quotes; `order_by=field [asc|desc]`.
"""

import base64
import bisect
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Depends, Query
from pydantic import BaseModel
from sqlalchemy import ColumnElement, literal, tuple_
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.kit.problem import Invalid, invalid_field

MAX_PAGE_SIZE = 500
_TERM = re.compile(r'^\s*([a-z_][a-z0-9_.]*)\s*(<=|>=|!=|=|<|>|:)\s*("(?:[^"\\]|\\.)*"|[^\s"]+)\s*$')
_AND = re.compile(r'\s+AND\s+(?=(?:[^"]*"[^"]*")*[^"]*$)')

Row = TypeVar("Row", bound=SQLModel)
Item = TypeVar("Item", bound=BaseModel)


class Page(BaseModel, Generic[Item]):
    """One page. There is no total; `next_page_token` is empty on the last page."""

    items: list[Item]
    next_page_token: str = ""


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What the caller asked for."""

    page_size: int
    page_token: str
    filter: str
    order_by: str


def _page_query(
    page_size: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = 50,
    page_token: Annotated[str, Query(max_length=2048)] = "",
    filter: Annotated[str, Query(max_length=2048)] = "",  # noqa: A002 - the name of the query parameter
    order_by: Annotated[str, Query(max_length=128)] = "",
) -> PageQuery:
    return PageQuery(page_size, page_token, filter, order_by)


AskedPage = Annotated[PageQuery, Depends(_page_query)]
"""The caller's page, for an endpoint's signature."""


async def page_of(
    session: AsyncSession,
    statement: SelectOfScalar[Row],
    asked: PageQuery,
    fields: Mapping[str, Any],
    key: bytes,
    *,
    default_order: str = "id asc",
    scope: str = "",
) -> tuple[list[Row], str]:
    """Rows of the page and the token of the next. `fields` are those that may be filtered and ordered, with "id".

    `scope` is signed into the token too: say what else chose the rows, such as the project's id.
    """
    name, descending = _order(asked.order_by or default_order, fields)
    statement = statement.where(*conditions(asked.filter, fields))
    purpose = f"{scope}\n{name}\n{descending}\n{asked.filter}"
    column, ident = fields[name], fields["id"]
    if asked.page_token:
        statement = statement.where(_after(column, ident, descending, _opened(asked.page_token, purpose, key)))
    ordering = [column.desc(), ident.desc()] if descending else [column.asc(), ident.asc()]
    rows = list((await session.exec(statement.order_by(*ordering).limit(asked.page_size + 1))).all())
    if len(rows) <= asked.page_size:
        return rows, ""
    rows = rows[: asked.page_size]
    return rows, _signed([getattr(rows[-1], column.key), getattr(rows[-1], ident.key)], purpose, key)


def page_of_names(
    rows: list[dict[str, Any]], names: list[str], asked: PageQuery, key: bytes, *, scope: str
) -> tuple[list[dict[str, Any]], str]:
    """The page of rows that are here already, sorted by their names: for what no SQL table holds."""
    if asked.filter or asked.order_by:
        raise invalid_field("query:filter", "filter and order_by do not apply to this list; leave them out")
    last = _opened(asked.page_token, scope, key)[0] if asked.page_token else ""
    start = bisect.bisect_right(names, last)
    page = rows[start : start + asked.page_size]
    more = start + len(page) < len(rows)
    return page, _signed([names[start + len(page) - 1]], scope, key) if more else ""


def conditions(filter_text: str, fields: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """The filter as SQL conditions; raises Invalid naming what is wrong."""
    if not filter_text.strip():
        return []
    return [_condition(term, fields) for term in _AND.split(filter_text)]


def _condition(term: str, fields: Mapping[str, Any]) -> ColumnElement[bool]:
    match = _TERM.match(term)
    if match is None:
        raise invalid_field("query:filter", f"{term.strip()!r} is not `field op value` with op = != < <= > >= or :")
    name, operator, raw = match.groups()
    column = _field(name, fields, "query:filter")
    text = re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw.startswith('"') else raw
    if operator == ":":
        found: ColumnElement[bool] = col(column).contains(text, autoescape=True)
        return found
    value = _typed(name, text, column)
    compared: dict[str, Any] = {
        "=": column == value,
        "!=": column != value,
        "<": column < value,
        "<=": column <= value,
        ">": column > value,
        ">=": column >= value,
    }
    result: ColumnElement[bool] = compared[operator]
    return result


def _typed(name: str, text: str, column: Any) -> Any:
    wanted = _python_type(column)
    try:
        if wanted is datetime:
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if wanted is bool:
            return {"true": True, "false": False}[text]
        return wanted(text)
    except (ValueError, KeyError) as error:
        kind = {"datetime": "ISO 8601 time", "bool": "true or false", "int": "whole number"}
        said = kind.get(wanted.__name__, wanted.__name__)
        raise invalid_field("query:filter", f"{name} is compared with {text!r}, which is not a {said}") from error


def _python_type(column: Any) -> type[Any]:
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    found: type[Any] = kind.python_type
    return found


def _order(text: str, fields: Mapping[str, Any]) -> tuple[str, bool]:
    name, _, direction = text.strip().partition(" ")
    if direction.strip() not in ("", "asc", "desc"):
        raise invalid_field("query:order_by", f"{text!r}: write a field, then asc or desc")
    _field(name, fields, "query:order_by")
    return name, direction.strip() == "desc"


def _field(name: str, fields: Mapping[str, Any], pointer: str) -> Any:
    if name not in fields:
        raise invalid_field(pointer, f"{name!r} is not one of {', '.join(sorted(fields))}")
    return fields[name]


def _after(column: Any, ident: Any, descending: bool, last: list[Any]) -> ColumnElement[bool]:
    value, last_id = last
    if _python_type(column) is datetime:
        value = datetime.fromisoformat(value)
    # As one comparison of rows: an index is entered there, where an OR of two would be read from its beginning.
    position = tuple_(literal(value, column.type), literal(last_id, ident.type))
    place = tuple_(column, ident)
    return place < position if descending else place > position


def _signed(position: list[Any], purpose: str, key: bytes) -> str:
    body = orjson.dumps(position)
    return base64.urlsafe_b64encode(_signature(body, purpose, key) + body).decode().rstrip("=")


def _opened(token: str, purpose: str, key: bytes) -> list[Any]:
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        raw = b""
    signature, body = raw[:16], raw[16:]
    if not hmac.compare_digest(signature, _signature(body, purpose, key)):
        raise Invalid(
            "page_token is not one that this list gave, or filter or order_by changed. Start again without it.",
            code="invalid_page_token",
        )
    position: list[Any] = orjson.loads(body)
    return position


def _signature(body: bytes, purpose: str, key: bytes) -> bytes:
    return hmac.new(key, purpose.encode() + b"\0" + body, hashlib.sha256).digest()[:16]
