"""No secret reaches an audit event, by the name of its field or by its form."""

from mizzen_controlplane.audit.record import redacted


def test_secrets_are_taken_out_wherever_they_are() -> None:
    key = "mzk_" + "a" * 20 + "_" + "B" * 43
    cleaned = redacted({"name": "x", "secret": key, "deep": [{"note": f"use {key} now", "api_token": "t"}]})
    assert cleaned == {
        "name": "x",
        "secret": "[redacted]",
        "deep": [{"note": "use [redacted] now", "api_token": "[redacted]"}],
    }


def test_the_name_of_a_kubernetes_secret_is_no_secret() -> None:
    assert redacted({"secretName": "hf"}) == {"secretName": "hf"}
