"""Base classes of all that crosses a process boundary: strict on what people write, lenient on what programs read."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, JsonValue, Strict
from pydantic.alias_generators import to_camel

WholeNumber = Annotated[int, Strict()]
"""An integer that is written as one: "3", 3.0 and true are refused, as Kubernetes refuses them."""


def keyed_by(key: str, most: int | None = None, *, and_by: str | None = None) -> dict[str, JsonValue]:
    """Schema of a list that server-side apply merges by the field `key` (and `and_by`), with at most `most` entries."""
    bound: dict[str, JsonValue] = {} if most is None else {"maxItems": most}
    keys: list[JsonValue] = [key] if and_by is None else [key, and_by]
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys, **bound}


AS_SET: dict[str, JsonValue] = {"x-kubernetes-list-type": "set"}
"""Schema of a list whose entries differ."""


AS_ONE: dict[str, JsonValue] = {"x-kubernetes-map-type": "atomic"}
"""Schema of a map that has one writer: who applies it replaces all of it, so that no part of another's stays."""


class Resource(BaseModel):
    """A part of a custom resource: camelCase on the wire, unknown fields refused, docstrings are descriptions."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        use_enum_values=False,
    )

    @classmethod
    def model_validate(cls, obj: Any, **how: Any) -> Self:
        """What is read is camelCase alone, as Kubernetes reads it; names in snake_case are for code that constructs."""
        return super().model_validate(obj, **({"by_alias": True, "by_name": False} | how))


class Observed(Resource):
    """A part of a status: fields that a newer release added are passed over."""

    model_config = ConfigDict(extra="ignore")


class Message(BaseModel):
    """A body between two programs: snake_case on the wire; a reader passes over fields that it does not know."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)
