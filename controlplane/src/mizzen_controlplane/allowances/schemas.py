"""Explanations and simulations on the wire."""

from datetime import datetime
from typing import Annotated

from mizzen_crds.access import Enforcement, Scope
from pydantic import BaseModel, ConfigDict, Field

from mizzen_controlplane.kit.wire import Body, example
from mizzen_controlplane.limits.schemas import LimitCreate


class Told(BaseModel):
    """Base of what is answered."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Holder(Told):
    """A gateway, or a store of several, that holds credit of a budget."""

    holder: str
    """Its name."""
    credit: str
    """What it may spend without asking."""
    expires_at: datetime
    """When the credit comes back, unless it is renewed."""


class Applying(Told):
    """A limit or a budget that counts requests of the key for the model."""

    kind: str
    """limit or budget."""
    id: str
    """lim_... or bud_..."""
    name: str
    """As refusals name it."""
    scope: Scope
    """What it is counted over."""
    scope_id: str
    """Of what."""
    measure: str
    """Metric of a limit, unit of a budget."""
    amount: str
    """What it lets through in a window or period, or at once."""
    used: str | None
    """Of that, in use now: of a limit as the ledger tells; null for what gateways alone know (requests at once, each
    end user, a model over all projects, windows of more than a day, very many requests)."""
    held: str | None
    """Of a budget: set aside for gateways."""
    window_seconds: int
    """Length of the window; 0 for requests at once and for calendar periods."""
    until: datetime | None
    """End of the period of a budget."""
    enforcement: Enforcement
    """Whether it refuses."""
    refuses: bool
    """It would refuse a request now."""
    holders: list[Holder]
    """Who holds credit of a budget."""
    remedy: str
    """What helps, where it refuses."""


class Access(Told):
    """Whether the model may be called at all."""

    allowed: bool
    """All that has to agree does."""
    key: bool | None
    """The key may call the model; null where no key was asked for."""
    grant: bool | None
    """The database grants another project's model; null for one's own, which needs none."""
    offer: bool | None
    """The owner's deployment offers it (spec.access); null for one's own."""
    reason: str
    """What is lacking, and who can change it."""


class Explanation(Told):
    """What decides about a request for the model."""

    project: str
    """Name of the project."""
    key: str
    """Id of the key; empty where none was asked for."""
    model: str
    """Served name."""
    at: datetime
    """When this was so."""
    access: Access
    """Whether it may be called."""
    applying: list[Applying]
    """In the order in which gateways look: the organization's, the model's, the project's, the key's."""
    refused_by: str
    """The first that refuses: `access` or a name of `applying`; empty where nothing does."""


class Simulation(Body):
    """Limits to try on what was used."""

    model_config = example(
        {
            "limits": [{"name": "fair-use", "metric": "requests", "amount": 600, "window_seconds": 60}],
            "days": 7,
        }
    )

    limits: Annotated[list[LimitCreate], Field(min_length=1, max_length=20)]
    """As one would make them, of scope project or key; these alone are tried, those in force are not."""
    days: Annotated[int, Field(ge=1, le=90, strict=True)] = 7
    """How far to look back."""


class HourRefused(Told):
    """Refusals of an hour."""

    start: datetime
    """Its begin, UTC."""
    refused: int
    """How many."""


class LimitTried(Told):
    """What became of one proposed limit."""

    name: str
    """As proposed."""
    refused: int
    """Requests that it would have refused; of a shadow one, that it would have refused were it enforced."""
    first_at: datetime | None
    """The first of them."""
    last_at: datetime | None
    """The last of them."""
    hours: list[HourRefused]
    """When, hour by hour."""


class SimulationOutcome(Told):
    """What the proposed limits would have done."""

    start: datetime
    """Begin of the usage that was replayed, UTC."""
    end: datetime
    """Its end."""
    requests: int
    """Requests that were replayed: admitted ones, as the ledger has no others."""
    refused: int
    """Of those, refused."""
    limits: list[LimitTried]
    """In the order of the proposal."""
