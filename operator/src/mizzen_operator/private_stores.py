"""Which stores with private addresses may weights come from? The administrator's list, read and checked."""

import ipaddress
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from mizzen_operator.kinds.model_deployment.environment import PrivateStore

_IPV4: Final = ("127.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32")
_IPV6: Final = ("::1/128", "fe80::/10", "fd00:ec2::254/128")
_SHOW_IPV4: Final = ("::ffff:0.0.0.0", "64:ff9b::")
"""Beginnings under which IPv6 shows addresses of IPv4: of a socket's own, and of a translator's."""


def _shown_under(beginning: str, network: str) -> ipaddress.IPv6Network:
    inner = ipaddress.IPv4Network(network)
    base = int(ipaddress.IPv6Address(beginning)) | int(inner.network_address)
    return ipaddress.IPv6Network((base, 96 + inner.prefixlen))


NEVER: Final = (
    *map(ipaddress.ip_network, (*_IPV4, *_IPV6)),
    *(_shown_under(beginning, network) for beginning in _SHOW_IPV4 for network in _IPV4),
)
"""The machine itself, and where clouds keep their credentials (besides link-local, Azure, Alibaba and Amazon)."""


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
        for each in NEVER:
            if network.version == each.version and network.overlaps(each):
                raise ValueError(
                    f"{text} holds addresses of {each}, which nothing is fetched from: loopback, link-local, or where "
                    "a cloud keeps credentials. List smaller networks beside it"
                )
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
