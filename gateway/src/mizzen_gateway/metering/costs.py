"""What do rows cost each budget? Read out of their JSON without parsing it: each request has one, and it is long."""

from collections import Counter
from collections.abc import Iterable

import orjson

from mizzen_gateway.metering.recovery import add_costs

BUDGETS, COST, NOT_MONEY = b'"budget_ids":[', b'"cost_pico":', (b'"token_budget_ids":', b'"time_budget_ids":')
"""As this gateway writes them. In a text, a name say, quotes are escaped, so that none of these is ever found there."""


def costs_of(rows: Iterable[bytes]) -> dict[str, int]:
    """By budget id, in its unit."""
    costs: Counter[str] = Counter()
    together: dict[bytes, int] = {}
    for row in rows:
        begin = row.find(BUDGETS) + len(BUDGETS)
        end = row.find(b"]", begin)
        if begin == end:
            continue  # of no budget
        at = row.find(COST) + len(COST)
        amount = row[at : row.find(b",", at)]
        other = max(map(row.find, NOT_MONEY)) >= 0
        if other or begin < len(BUDGETS) or at < len(COST) or not amount.isdigit():
            add_costs(costs, orjson.loads(row))
            continue
        budgets = row[begin:end]
        together[budgets] = together.get(budgets, 0) + int(amount)
    for budgets, amount_pico in together.items():
        for budget_id in orjson.loads(b"[" + budgets + b"]"):
            if amount_pico:
                costs[budget_id] += amount_pico
    return costs
