"""What a schema cannot say: rules of a custom resource, each once as CEL and once as Python, with one sentence.

The API server evaluates the CEL, which the generated CRD carries; the Pydantic models evaluate the Python, so that the
REST API and the command line refuse with the same sentence. A table of objects in the contract tests runs on both.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from mizzen_crds.mistakes import Mistake

EACH = "[]"
"""In a path: every entry of the list."""


STORED: Final = "stored"
"""Key in the context of a validation: true where the object is one that the API server took at some time."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule about the object at a path."""

    at: str
    """Where it is evaluated, as written: `spec.model`, `spec.adapters.[]`; `self` in CEL."""
    field: str
    """Field below `at` that is to blame; empty for the object itself."""
    message: str
    """The limit and the remedy; the field is named before it."""
    cel: str
    """True where the rule holds. Empty where the schema's list type says it."""
    holds: Callable[[Any], bool]
    """The same in Python, given the model at `at`."""
    of_stored: bool = True
    """False: objects that an earlier release took may break it, so that only what people write is held to it."""


@dataclass(frozen=True, slots=True)
class ChangeRule:
    """One rule about a change of the object at a path."""

    at: str
    field: str
    message: str
    cel: str
    """As in `Rule`, with `oldSelf` too."""
    holds: Callable[[Any, Any], bool]
    """The same in Python, given the model before and after."""


def refuse_broken(rules: Iterable[Rule], model: BaseModel, root: str = "", context: object = None) -> None:
    """Raise a ValidationError with an entry wherever a rule is broken; `model` stands at the path `root`.

    `context` is that of the validation; it tells what is stored, which some rules do not judge.
    """
    stored = isinstance(context, Mapping) and bool(context.get(STORED))
    broken = [
        InitErrorDetails(
            type=PydanticCustomError("rule", "{sentence}", {"sentence": rule.message}),
            loc=(*location, *(rule.field.split(".") if rule.field else ())),
            input=None,
        )
        for rule in rules
        if rule.of_stored or not stored
        for location, part in _places(model, _below(rule.at, root))
        if not rule.holds(part)
    ]
    if broken:
        raise ValidationError.from_exception_data(type(model).__name__, broken)


def refused_changes(rules: Iterable[ChangeRule], old: BaseModel, new: BaseModel) -> list[Mistake]:
    """What a change from `old` to `new` may not do; both are whole objects. Asked beside the rules of `new` itself."""
    found = []
    for rule in rules:
        path = rule.at.split(".")
        before, after = (dict(_places(model, path)) for model in (old, new))
        found += [
            Mistake((*place, *(rule.field.split(".") if rule.field else ())), rule.message)
            for place in before.keys() & after.keys()
            if not rule.holds(before[place], after[place])
        ]
    return found


@cache
def _below(at: str, root: str) -> list[str]:
    """The path's parts below `root`."""
    return [part for part in at.removeprefix(root).split(".") if part]


def _places(model: Any, path: list[str]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every object that the path means, with its location; none where an optional part is absent."""
    if model is None:
        return
    if not path:
        yield (), model
        return
    if path[0] == EACH:
        for position, entry in enumerate(model):
            for location, part in _places(entry, path[1:]):
                yield (position, *location), part
        return
    kind: type[BaseModel] = type(model)
    for location, part in _places(getattr(model, _attribute(kind, path[0])), path[1:]):
        yield (path[0], *location), part


@cache
def _attribute(model: type[BaseModel], part: str) -> str:
    """Which attribute a part of a path names, as written in manifests."""
    return next(name for name, field in model.model_fields.items() if part in (field.alias, name))
