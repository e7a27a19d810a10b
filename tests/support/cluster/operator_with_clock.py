"""The operator with a time of day of its own: `python operator_with_clock.py FILE`.

FILE says how many seconds it is off. It is read each time that the time is asked for, so that the clock can be set
while the operator runs. Clocks that nobody sets stay as they are.
"""

import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from mizzen_kube import lease
from mizzen_operator.ledgers import startup_ledger
from mizzen_operator.process import main
from mizzen_operator.reconcile import run

FILE = Path(sys.argv[1])


class SetClock(datetime):
    """`datetime`, as the modules know it that ask for the time of day."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        """The time of day, as the file sets it."""
        return datetime.now(tz) + timedelta(seconds=float(FILE.read_text()))


if __name__ == "__main__":
    for module in (run, startup_ledger, lease):
        vars(module)["datetime"] = SetClock
    sys.exit(main())
