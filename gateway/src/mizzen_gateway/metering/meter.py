"""How is a request metered? An intent before its first byte, a row after its last, both in the spool.

An answer that comes whole has its row written before its first byte, and no intent.

Implements `Meter` of `stages.py`.
"""

from mizzen_gateway.metering.request_ids import RequestIds
from mizzen_gateway.metering.rows import intended_row, settled_row
from mizzen_gateway.metering.spool import Spool
from mizzen_gateway.stages import Charge, Intent, Outcome, Refusal


class SpoolMeter:
    """Turns what the pipeline knows into records of the spool."""

    def __init__(self, spool: Spool, gateway: str) -> None:
        """`gateway` is the holder of the leases that the costs come out of."""
        self._spool = spool
        self._gateway = gateway
        self.new_request_id = RequestIds().mint

    def intend(self, intent: Intent, bound: Charge) -> Refusal | None:
        """Make the intent durable; 503 quota_unavailable where the disk does not take it."""
        return self._spool.intend(intent.request_id, intended_row(intent, bound, self._gateway))

    def book(self, intent: Intent, outcome: Outcome, charge: Charge) -> Refusal | None:
        """Write the row before the answer leaves; 503 quota_unavailable where the disk does not take it."""
        return self._spool.book(settled_row(intent, outcome, charge, self._gateway))

    def settle(self, intent: Intent, outcome: Outcome, charge: Charge) -> None:
        """Record the end of an intended request, exactly once."""
        self._spool.settle(intent.request_id, settled_row(intent, outcome, charge, self._gateway))
