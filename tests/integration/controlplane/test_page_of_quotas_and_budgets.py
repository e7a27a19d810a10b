"""What docs/how-to/quotas-and-budgets.md says of its example is what the control plane says."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml
from support.controlplane import ControlPlane
from support.persons import SignedInPerson, bind, new_person
from support.spending import Spending, new_spending

PAGE = (Path(__file__).parents[3] / "docs/how-to/quotas-and-budgets.md").read_text()
KEYS = ("nightly-job", "my-notebook")


@pytest.fixture
def spending(controlplane: ControlPlane) -> Spending:
    return new_spending(controlplane)


@pytest.fixture
def person(controlplane: ControlPlane, admin: httpx.Client, spending: Spending) -> Iterator[SignedInPerson]:
    made = new_person(controlplane)
    bind(admin, made.principal, "developer", spending.project)
    with made.client:
        yield made


def rows() -> list[tuple[dict[str, int], list[str]]]:
    """Calls so far by key, and what the next call of each key meets."""
    found = re.findall(r"^\| (\d[^|]*nightly-job[^|]*) \| ([^|]*) \| ([^|]*) \|$", PAGE, re.MULTILINE)
    return [
        ({key: int(count) for count, key in re.findall(r"(\d+) with ([-a-z]+)", calls)}, [one, other])
        for calls, one, other in found
    ]


def test_the_example_of_the_page_is_refused_where_the_page_says(spending: Spending, person: SignedInPerson) -> None:
    path = f"/api/v1/projects/{spending.project}/keys"
    keys = {name: person.client.post(path, json={"name": name}).json()["id"] for name in KEYS}
    [example] = re.findall(r"```yaml\n(limits:.*?)```", PAGE, re.DOTALL)
    for limit in yaml.safe_load(example.replace("person:ME", person.principal))["limits"]:
        made = spending.admin("POST", "/limits", json=limit)
        assert made.status_code == 201, made.text
    sent = dict.fromkeys(KEYS, 0)
    assert len(rows()) == 3
    for calls, outcomes in rows():
        for key, count in calls.items():
            began = datetime.now(UTC) - timedelta(seconds=1)
            more = [spending.event(key_id=keys[key], started_at=began, budget_ids=[]) for _ in range(count - sent[key])]
            if more:
                spending.send(*more)
            sent[key] = count
        for key, outcome in zip(KEYS, outcomes, strict=True):
            told = spending.admin("GET", "/limits:explain", params={"model": "sentiment", "key": key}).json()
            assert outcome == (f"refused by {told['refused_by']}" if told["refused_by"] else "let in"), (calls, key)
