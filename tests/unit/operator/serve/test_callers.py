"""Who a TokenReview names, what the environment says, and what stands while the registry is away."""

import pytest
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_operator.reconcile.registry import last_resolved, told_of
from mizzen_operator.serve.identities import caller_of
from mizzen_operator.settings import SettingError, settings_from

POD = {"authentication.kubernetes.io/pod-name": ["engine-0"]}


def review(**more: object) -> dict[str, object]:
    user = {"username": "system:serviceaccount:team:default", "extra": POD}
    return {"authenticated": True, "audiences": ["here"], "user": user} | more


def test_a_bound_token_names_its_account_and_pod() -> None:
    caller = caller_of(review(), "here")
    assert caller is not None
    assert (caller.subject, caller.pod) == ("system:serviceaccount:team:default", "engine-0")


@pytest.mark.parametrize(
    "status",
    [
        {},
        review(authenticated=False),
        review(audiences=["elsewhere"]),
        review(audiences=[]),
        review(user={"username": "kubernetes-admin"}),
    ],
)
def test_nobody_else_is_a_caller(status: dict[str, object]) -> None:
    assert caller_of(status, "here") is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MIZZEN_PORT", "http"),
        ("MIZZEN_WORKERS", "0"),
        ("MIZZEN_RESYNC_SECONDS", "-1"),
        ("MIZZEN_MONITORING_LABELS", "prometheus"),
        ("MIZZEN_FETCH_PRIVATE_STORES", "10.0.0.0/8"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=variable):
        settings_from({variable: value})


def test_without_settings_the_defaults_hold() -> None:
    settings = settings_from({}, own_namespace="models")
    assert (settings.namespace, settings.port, settings.plan.gateway.namespace) == ("models", 8482, "models")
    assert settings.gateway_subject == "system:serviceaccount:models:mizzen-gateway"


def resolved(reference: dict[str, object], alias: str | None) -> ModelDeployment:
    known = {"source": "m@3", "uri": "mizzen://mv_3", "digest": "sha256:" + "3" * 64, "version": 3, "alias": alias}
    body = {
        "metadata": {"name": "a", "namespace": "n", "generation": 2},
        "spec": {"model": {"versionRef": {"model": "m", **reference}}, "engine": {"type": "Triton"}},
        "status": {"observedGeneration": 2, "resolvedModel": known},
    }
    return ModelDeployment.model_validate(body)


@pytest.mark.parametrize(
    ("reference", "alias", "stands"),
    [
        ({"alias": "champion"}, "champion", True),
        ({"alias": "champion"}, "challenger", False),
        ({"alias": "champion"}, "", False),
        ({"version": 3}, "", True),
        ({"version": 3}, "champion", True),
        ({"version": 4}, "", False),
        ({"model": "another", "alias": "champion"}, "champion", False),  # also of this very generation
        ({"model": "another", "version": 3}, "", False),
    ],
)
def test_what_was_resolved_stands_while_the_spec_still_means_it(
    reference: dict[str, object], alias: str, stands: bool
) -> None:
    one = resolved(reference, alias)
    assert one.spec.model.version_ref is not None
    found = last_resolved(one.status.resolved_model, one.spec.model.version_ref)
    assert (found is not None) is stands
    assert found is None or found.uri == "mizzen://mv_3"


@pytest.mark.parametrize(("alias", "same", "stands"), [(None, True, True), (None, False, False), ("a", False, True)])
def test_what_an_older_release_resolved_stands_for_the_generation_that_it_saw(
    alias: str | None, same: bool, stands: bool
) -> None:
    one = resolved({"alias": "a"}, alias)
    assert one.spec.model.version_ref is not None
    trusted = told_of(one.status.resolved_model, same=same)
    assert (last_resolved(trusted, one.spec.model.version_ref) is not None) is stands
