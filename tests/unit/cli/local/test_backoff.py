"""The kubelet's restart rule."""

from mizzen_cli.local.pod.backoff import Backoff


def test_the_first_restart_is_immediate_then_pauses_double_up_to_the_limit() -> None:
    rule = Backoff(base=10, limit=300, reset=600)
    delays = []
    for _ in range(9):
        rule = rule.after_run(1)
        delays.append(rule.delay)
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_long_run_starts_the_rule_over() -> None:
    rule = Backoff(base=10, limit=300, reset=600, failures=5)
    assert rule.after_run(600).delay == 0
    assert rule.after_run(599).delay > 0
