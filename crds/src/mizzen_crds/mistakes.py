"""What is wrong with an object that a person wrote, in sentences that name the field, the limit and the remedy.

The control plane and the command line both call `mistakes`, so that a person reads the same words from either.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mizzen_crds.field_words import PATTERN_WORDS
from mizzen_crds.units_written import number_alone

SHOWN_CHARACTERS = 60
"""So much of a wrong value is repeated in a sentence."""
OTHER = "Other"
NEAR, NEAR_OTHER = 0.6, 0.75
"""How like a known name one must be to be taken for it: more so where there is a name for all others."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with an object."""

    location: tuple[str | int, ...]
    """Field names as they are written and positions in lists, from the object's root."""
    message: str
    """What is wrong, the limit, and what to do."""

    @property
    def path(self) -> str:
        """For people: `spec.engine.args[2]`."""
        written = ""
        for part in self.location:
            if isinstance(part, int):
                written += f"[{part}]"
            elif re.fullmatch(r"[A-Za-z_]\w*", part):
                written += f".{part}" if written else part
            else:
                written += f"[{part}]"
        return written

    @property
    def pointer(self) -> str:
        """JSON pointer (RFC 6901): `/spec/engine/args/2`."""
        return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in self.location)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.location else self.message


def mistakes(error: ValidationError, model: type[BaseModel]) -> list[Mistake]:
    """Every mistake that `model.model_validate(...)` found, in the order of the fields."""
    found: dict[tuple[tuple[str | int, ...], str], Mistake] = {}
    for detail in error.errors(include_url=False):
        location = tuple(part for part in detail["loc"] if part != "[key]")
        mistake = Mistake(location, _sentence(detail, location, model))
        found.setdefault((mistake.location, mistake.message), mistake)
    return list(found.values())


def _sentence(detail: ErrorDetails, location: tuple[str | int, ...], model: type[BaseModel]) -> str:
    if detail["type"] in _MAPS and isinstance(detail["input"], str):
        needed = _required(model, location)
        remedy = f"; write {{{needed[0]}: ...}}" if len(needed) == 1 else ""
        return sentence(detail, location, []) + remedy
    known = field_names(model, location[:-1]) if detail["type"] == "extra_forbidden" else []
    return sentence(detail, location, known)


def sentence(detail: ErrorDetails, location: tuple[str | int, ...], known: list[str]) -> str:
    """What one error of Pydantic says to a person; `known` are the names that may stand beside an unknown field."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_field(str(location[-1]), known)
    if kind == "missing":
        return "required field is missing; add it"
    if kind in ("enum", "literal_error"):
        return _not_one_of(detail["input"], str(context["expected"]))
    if kind in _LIMITS:
        return _LIMITS[kind](context) + _shown(detail["input"], location)
    if kind.startswith("datetime_") or kind == "timezone_aware":
        return f"must be a time with its zone, such as 2030-01-31T12:00:00Z{_shown(detail['input'], location)}"
    if kind in _TYPES:
        return (
            f"must be {_TYPES[kind]}, but it is {_type_words(detail['input'])}"
            f"{_type_remedy(kind, detail['input'], location)}"
        )
    return detail["msg"].removeprefix("Value error, ")


def _unknown_field(name: str, known: list[str]) -> str:
    near = _near(name, known)
    if near:
        return f"unknown field; did you mean `{near}`?"
    return f"unknown field; remove it. Known here: {', '.join(known)}" if known else "unknown field; remove it"


def _not_one_of(value: object, expected: str) -> str:
    choices = re.findall(r"'([^']*)'", expected)
    near = _near(str(value), choices)
    hint = f"; did you mean `{near}`?" if near else "; any other is `Other`" if OTHER in choices else ""
    return f"must be one of {', '.join(choices)}, but it is `{str(value)[:SHOWN_CHARACTERS]}`{hint}"


def _near(name: str, known: list[str]) -> str | None:
    folded = {re.sub(r"[-_]", "", choice).casefold(): choice for choice in known}
    cutoff = NEAR_OTHER if OTHER in known else NEAR
    matches = difflib.get_close_matches(re.sub(r"[-_]", "", name).casefold(), folded, n=1, cutoff=cutoff)
    return folded[matches[0]] if matches else None


def _pattern(context: Mapping[str, Any]) -> str:
    return PATTERN_WORDS.get(context["pattern"], f"must match {context['pattern']}")


_LIMITS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
    "greater_than": lambda context: f"must be more than {context['gt']}",
    "multiple_of": lambda context: f"must be a multiple of {context['multiple_of']:g}",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "string_too_short": lambda context: f"must have at least {context['min_length']} character(s)",
    "too_long": lambda context: f"must have at most {context['max_length']} entries",
    "too_short": lambda context: f"must have at least {context['min_length']} entry or entries",
    "string_pattern_mismatch": _pattern,
    "finite_number": lambda _context: "must be a finite number",
    "decimal_max_places": lambda context: f"must have at most {context['decimal_places']} digits after the point",
}

_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "a map of fields",
    "model_type": "a map of fields",
    "model_attributes_type": "a map of fields",
}


def _type_words(value: object) -> str:
    words: dict[type, str] = {bool: "true or false", int: "a number", float: "a number with a fraction", str: "text"}
    words |= {list: "a list", dict: "a map", type(None): "empty"}
    return words.get(type(value), type(value).__name__)


_MAPS = frozenset({"model_type", "model_attributes_type"})
_NUMBERS = frozenset({"int_type", "int_parsing", "float_type", "float_parsing", "decimal_type", "decimal_parsing"})


def _type_remedy(kind: str, value: object, location: tuple[str | int, ...]) -> str:
    if value is None:
        return "; give a value or leave the field out"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f'; write it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
    if kind == "int_type" and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return f"; write it without quotes: {value[:SHOWN_CHARACTERS]}"
    if kind in _NUMBERS and isinstance(value, str) and len(value) <= SHOWN_CHARACTERS:
        return f": `{value}`{number_alone(value, location)}"
    return ""


def _shown(value: object, location: tuple[str | int, ...]) -> str:
    """The wrong value, unless it is long, a collection, or may be a secret (the value of a variable)."""
    if isinstance(value, list | dict | set | tuple):
        return f"; it has {len(value)}"
    if location and location[-1] == "value":
        return ""
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
        return f"; it has {len(value)} characters"
    return f"; it is `{value}`"


def field_names(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Names that may be written in the object at `location`, in the order of the reference; empty where any may."""
    here = _model_at(model, location)
    return [field.alias or name for name, field in here.model_fields.items()] if here else []


def _required(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Names of the fields that the object at `location` must have."""
    here = _model_at(model, location)
    return [field.alias or name for name, field in here.model_fields.items() if field.is_required()] if here else []


def _model_at(model: type[BaseModel], location: tuple[str | int, ...]) -> type[BaseModel] | None:
    here: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, int):
            continue
        field = next((f for n, f in here.model_fields.items() if part in (f.alias, n)), None) if here else None
        here = _model_in(field.annotation) if field else None
    return here


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in get_args(annotation) if (found := _model_in(argument))), None)
