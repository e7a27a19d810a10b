"""What all gateways saw since a step began: over gateways that come and go, and over this program's own beginning."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from mizzen_crds.serving import GatewayLoad, RevisionLoad
from mizzen_operator.ledgers.load_ledger import SILENT_AFTER, LoadLedger
from support.deployments import NOON

KEY = ("n", "d", "v2")


def report(
    requests: int, errors: int = 0, *, gateway: str = "g", boot: str = "b", parked: int = 0, names: Iterable[str] = "d"
) -> GatewayLoad:
    """What a gateway has counted of each deployment since it began."""
    told = [
        RevisionLoad(
            namespace="n", deployment=name, revision="v2", requests=requests, errors=errors, ttft_ms_sum=0.0,
            in_flight=0, parked=parked,
        )
        for name in names
    ]  # fmt: skip
    return GatewayLoad(gateway=gateway, boot_id=boot, sent_at=NOON, revisions=told)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def requests(ledger: LoadLedger) -> int:
    """Of the step that began at noon."""
    return ledger.window(KEY, NOON).requests


def in_a_step() -> LoadLedger:
    """A ledger of a program that began in the middle of a canary step."""
    ledger = LoadLedger()
    ledger.window(KEY, NOON)
    return ledger


def test_what_a_gateway_counted_before_this_program_began_is_in_no_step() -> None:
    ledger = in_a_step()
    ledger.record(report(5000, 900), at(0))
    assert ledger.window(KEY, NOON).errors == 0
    ledger.record(report(5007, 901), at(1))
    window = ledger.window(KEY, NOON)
    assert (window.requests, window.errors) == (7, 1)


def test_another_time_of_leading_begins_with_nothing_counted() -> None:
    ledger = in_a_step()
    ledger.record(report(10), at(0))
    ledger.record(report(20), at(1))
    ledger.begin()
    ledger.record(report(5000), at(300))
    assert requests(ledger) == 0
    ledger.record(report(5003), at(301))
    assert requests(ledger) == 3


def test_a_revision_that_a_known_gateway_tells_of_for_the_first_time_counts_from_its_first_request() -> None:
    ledger = in_a_step()
    ledger.record(report(0, names=()), at(0))
    ledger.record(report(4), at(1))
    assert requests(ledger) == 4


def test_a_gateway_that_restarts_counts_on() -> None:
    ledger = in_a_step()
    ledger.record(report(100), at(0))
    ledger.record(report(3, boot="later"), at(2))
    assert requests(ledger) == 3


def test_a_gateway_that_was_silent_for_long_begins_anew() -> None:
    ledger = in_a_step()
    ledger.record(report(10), at(0))
    ledger.record(report(0, gateway="other", names=()), at(1 + SILENT_AFTER.total_seconds()))
    ledger.record(report(5000), at(2 + SILENT_AFTER.total_seconds()))
    assert requests(ledger) == 0


def test_gateways_that_come_and_go_leave_nothing_behind() -> None:
    ledger, names = LoadLedger(), [f"d{number}" for number in range(50)]
    for number in range(200):
        ledger.record(report(number, gateway=f"gateway-{number}", names=names), at(number))
    assert len(ledger) <= 50 + 50 * (SILENT_AFTER.total_seconds() + 1)


def test_deployments_that_come_and_go_leave_nothing_behind() -> None:
    ledger, gone = LoadLedger(), [f"d{number}" for number in range(50)]
    ledger.record(report(1, names=gone), at(0))
    ledger.record(report(2, names=gone), at(1))
    for name in gone:
        ledger.keep(("n", name), ())
    told_still = report(3, parked=1, names=gone)
    assert ledger.record(told_still, at(2), exists=lambda _: False) == set()
    ledger.record(report(3, names=()), at(3))
    assert len(ledger) == 0


def test_revisions_that_expire_leave_nothing_behind() -> None:
    ledger = in_a_step()
    ledger.window(("n", "d", "v1"), NOON)
    ledger.keep(("n", "d"), ["v2"])
    assert len(ledger) == 1


def test_a_deployment_that_is_made_again_counts_from_its_own_first_request() -> None:
    ledger = LoadLedger()
    ledger.record(report(500), at(0))
    ledger.record(report(500), at(1), exists=lambda _: False)
    ledger.window(KEY, NOON)
    ledger.record(report(502), at(2))
    assert requests(ledger) == 2
