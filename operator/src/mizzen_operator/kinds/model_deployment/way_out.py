"""Where may a fetch go? To public addresses, to Mizzen's own programs, and to the private stores that are listed."""

import ipaddress
from typing import Any, Final

from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.environment import Peer, PlanEnvironment, PrivateStore
from mizzen_operator.kinds.model_deployment.mounts import CLAIM_SCHEME

Rule = dict[str, Any]
REGISTRY_SCHEME: Final = "mizzen://"
DNS: Final = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
PRIVATE_IPV4: Final = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "168.63.129.16/32",
    "198.18.0.0/15",
    "240.0.0.0/4",
)
"""Where pods, Services, nodes and clouds' credentials are. 168.63.129.16 is Azure's, and would pass for a public one;
the last two are nobody's in public, so that some clusters number their pods from them.
"""
PRIVATE_IPV6: Final = ("fc00::/7", "fe80::/10", "::1/128")
NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def _through_nat64(network: str) -> str:
    """Return where a translator of IPv6 to IPv4 shows a network: the same addresses must not be reached around."""
    inner = ipaddress.IPv4Network(network)
    base = int(NAT64.network_address) | int(inner.network_address)
    return str(ipaddress.IPv6Network((base, NAT64.prefixlen + inner.prefixlen)))


OUTSIDE: Final = {
    "to": [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": [*PRIVATE_IPV4]}},
        {"ipBlock": {"cidr": "::/0", "except": [*PRIVATE_IPV6, *map(_through_nat64, PRIVATE_IPV4)]}},
    ]
}


def way_out(artifact: Artifact, environment: PlanEnvironment) -> list[Rule]:
    """Return the egress rules of pods that fetch, for the model and all its adapters."""
    sources = [artifact.uri, *(one.artifact.uri for one in artifact.adapters)]
    registered = any(uri.startswith(REGISTRY_SCHEME) for uri in sources)
    own = [peer(environment.operator), *([peer(environment.registry)] if registered else [])]
    if all(uri.startswith((REGISTRY_SCHEME, CLAIM_SCHEME)) for uri in sources):
        return [DNS, {"to": own}]
    return [DNS, {"to": own}, OUTSIDE, *map(_to_store, environment.private_stores)]


def peer(one: Peer) -> dict[str, Any]:
    """Return pods of one namespace, as rules name them."""
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": one.namespace}},
        "podSelector": {"matchLabels": dict(one.labels)},
    }


def _to_store(store: PrivateStore) -> Rule:
    """Some networks of Kubernetes know pods by their namespace alone, never by address."""
    to: list[Rule] = [{"ipBlock": {"cidr": store.cidr}}] if store.cidr else []
    if store.namespace:
        to.append({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": store.namespace}}})
    return {"to": to, "ports": [{"protocol": "TCP", "port": port} for port in store.ports]}
