"""Which stores with private addresses may weights come from? The administrator's list, read and checked."""

import ipaddress
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from mizzen_operator.kinds.model_deployment.environment import PrivateStore

NEVER: Final = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10")))
"""The machine itself, and where clouds keep their credentials."""


class _Store(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    cidr: str = ""
    namespace: Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$")] = ""
    ports: Annotated[list[Annotated[int, Field(ge=1, le=65_535)]], Field(min_length=1)]

    @field_validator("cidr")
    @classmethod
    def _is_a_network(cls, text: str) -> str:
        if not text:
            return text
        network = ipaddress.ip_network(text)
        if any(network.version == each.version and network.overlaps(each) for each in NEVER):
            raise ValueError(f"{text} holds link-local or loopback addresses, which nothing is fetched from")
        return str(network)

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if not self.cidr and not self.namespace:
            raise ValueError("a store needs cidr, namespace or both")
        return self


_STORES: Final = TypeAdapter(list[_Store])


def private_stores(text: str) -> tuple[PrivateStore, ...]:
    """From JSON: `[{"cidr": "10.20.0.0/16", "namespace": "storage", "ports": [9000]}]`.

    Raises:
        ValueError: the text is not that; the sentence names the first mistake.
    """
    try:
        stores = _STORES.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'the list'}: {first['msg']}") from error
    return tuple(PrivateStore(one.cidr, one.namespace, tuple(one.ports)) for one in stores)
