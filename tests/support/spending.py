"""A project with a budget and prices, and the two calls that a gateway makes about money."""

from dataclasses import dataclass
from typing import Any

import httpx
from mizzen_crds.access import LeaseGrant
from mizzen_crds.usage import UsageEvent, UsageReceipt
from support.controlplane import ControlPlane
from support.usage_events import batch_body, usage_event

UNIT = 10**12
"""One unit of the currency in pico."""


@dataclass(frozen=True)
class Spending:
    """A project that spends."""

    controlplane: ControlPlane
    project: str
    project_id: str

    @property
    def path(self) -> str:
        """Of the project."""
        return f"/api/v1/projects/{self.project}"

    def admin(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call by the administrator, below the project's path."""
        with self.controlplane.client() as client:
            return client.request(method, self.path + path, **options)

    def budget(self, amount: str, name: str = "monthly", **fields: Any) -> str:
        """Make a budget; returns its id."""
        made = self.admin("POST", "/budgets", json={"name": name, "amount": amount} | fields)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def event(self, **fields: Any) -> UsageEvent:
        """A usage event of this project."""
        return usage_event(self.project_id, **fields)

    def send(self, *events: UsageEvent) -> UsageReceipt:
        """Hand events to the ledger."""
        with self.controlplane.client("gateway") as client:
            answer = client.post("/internal/v1/usage/events", json=batch_body(*events))
        assert answer.status_code == 200, answer.text
        return UsageReceipt.model_validate(answer.json())

    def lease(self, budget_id: str, holder: str, want_pico: int) -> LeaseGrant:
        """Ask for credit."""
        body = {"budget_id": budget_id, "holder": holder, "want_pico": want_pico}
        with self.controlplane.client("gateway") as client:
            answer = client.post("/internal/v1/budget-leases", json=body)
        assert answer.status_code == 200, answer.text
        return LeaseGrant.model_validate(answer.json())

    def state(self, budget: str = "monthly") -> tuple[str, str, str]:
        """Spent, leased and remaining."""
        view = self.admin("GET", f"/budgets/{budget}").json()
        return view["spent"], view["leased"], view["remaining"]


def new_spending(controlplane: ControlPlane) -> Spending:
    """A fresh project."""
    name = controlplane.new_project()
    with controlplane.client() as client:
        project_id = client.get(f"/api/v1/projects/{name}").json()["id"]
    return Spending(controlplane, name, project_id)
