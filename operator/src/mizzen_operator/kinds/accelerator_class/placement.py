"""What does a class mean to the scheduler, and to the memory of a replica?"""

from decimal import Decimal
from typing import Final

from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass, OfferedSharing
from mizzen_crds.v1alpha1.metadata import Quantity
from mizzen_crds.v1alpha1.model_deployment.workload import Sharing

from mizzen_operator.kinds.model_deployment.environment import AcceleratorKind

SUFFIXES: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}
"""Multiples, as Kubernetes writes them."""


def accelerator_kind(klass: AcceleratorClass) -> AcceleratorKind:
    """Return resource, node labels, tolerations and the resources of parts."""
    spec = klass.spec
    return AcceleratorKind(
        resource_name=spec.resource_name,
        node_selector=dict(spec.node_labels),
        tolerations=tuple(
            one.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
            for one in spec.tolerations
        ),
        shared={offer.mode: resource_of(klass, offer) for offer in spec.sharing if offer.mode is not Sharing.EXCLUSIVE},
        memory_bytes=bytes_of(spec.memory),
        part_bytes={offer.mode: bytes_of(offer.memory) for offer in spec.sharing if offer.memory is not None},
    )


def bytes_of(quantity: Quantity) -> int:
    """Return an amount of memory in bytes, such as 85899345920 for 80Gi."""
    digits = quantity.rstrip("kKmMGTPEi")
    return int(Decimal(digits) * SUFFIXES[quantity[len(digits) :]])


def offered(klass: AcceleratorClass, mode: Sharing) -> OfferedSharing | None:
    """Return how the class gives accelerators in that mode; None where it does not. Nothing stated: Exclusive alone."""
    if not klass.spec.sharing:
        return OfferedSharing(mode=Sharing.EXCLUSIVE) if mode is Sharing.EXCLUSIVE else None
    return next((offer for offer in klass.spec.sharing if offer.mode is mode), None)


def resource_of(klass: AcceleratorClass, offer: OfferedSharing) -> str:
    """Return the extended resource that counts what the mode gives to pods."""
    return offer.resource_name or klass.spec.resource_name
