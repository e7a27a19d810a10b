"""From names to deployments: own ones first, shared ones by their full name, all others are unknown."""

from mizzen_gateway.routing.deployment import DeploymentFacts, EndpointFacts, EndpointSetFacts
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.table import RouteTable
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Caller, Refusal

PROJECTS = {"a": "ns-a", "b": "ns-b"}


def caller(project: str = "a", models: frozenset[str] | None = None, grants: frozenset[str] = frozenset()) -> Caller:
    return Caller("org", f"prj_{project}", project, PROJECTS[project], "key_x", models, grants)


def table(*facts: DeploymentFacts) -> RouteTable:
    made = RouteTable(LoadBook(), PROJECTS.get)
    for one in facts:
        made.put_deployment(one)
    return made


def facts(namespace: str, name: str, *names: str, created: str = "1", shared: str = "") -> DeploymentFacts:
    project = namespace.removeprefix("ns-").partition("-")[0]
    shared_with = frozenset(filter(None, [shared]))
    return DeploymentFacts((namespace, name), created, names or (name,), shared_with, project=project)


def found(made: RouteTable, who: Caller, model: str) -> tuple[str, str] | str:
    target = made.find(who, model)
    return target.facts.key if isinstance(target, Target) else target.code


def test_a_model_is_found_by_served_name_alias_and_full_name() -> None:
    made = table(facts("ns-a", "d", "served", "alias"))
    for model in ("served", "alias", "a/served"):
        assert found(made, caller(), model) == ("ns-a", "d")
    assert found(made, caller(), "d") == "model_not_found"


def test_a_project_has_the_models_of_all_its_namespaces_and_none_of_a_namespace_that_is_named_like_it() -> None:
    named_like_a = DeploymentFacts(("a", "theirs"), "1", ("theirs",), project="b")
    made = table(facts("ns-a", "one"), facts("ns-a-2", "two"), named_like_a)
    assert [found(made, caller(), model) for model in ("one", "two")] == [("ns-a", "one"), ("ns-a-2", "two")]
    assert found(made, caller(), "theirs") == "model_not_found"


def test_a_deployment_that_changes_its_project_leaves_the_old_one() -> None:
    made = table(facts("ns-a", "m"))
    made.put_deployment(DeploymentFacts(("ns-a", "m"), "1", ("m",), project="b"))
    assert (found(made, caller("a"), "m"), found(made, caller("b"), "m")) == ("model_not_found", ("ns-a", "m"))


def test_anothers_model_and_one_that_does_not_exist_get_the_same_refusal() -> None:
    made = table(facts("ns-b", "theirs"), facts("ns-b", "offered", shared="a"))
    refusals = []
    for model in ("b/theirs", "b/nobody", "c/nobody", "nobody", "b/offered"):
        refusal = made.find(caller(), model)
        assert isinstance(refusal, Refusal)
        refusals.append((refusal.status, refusal.code, refusal.message.replace(model, ""), refusal.headers))
    assert len(set(refusals)) == 1


def test_a_shared_model_needs_the_offer_and_the_grant_and_its_full_name() -> None:
    made = table(facts("ns-b", "offered", shared="a"), facts("ns-b", "kept"))
    granted = caller(grants=frozenset({"b/offered", "b/kept"}))
    assert found(made, granted, "b/offered") == ("ns-b", "offered")
    assert found(made, granted, "offered") == "model_not_found"
    assert found(made, granted, "b/kept") == "model_not_found"
    assert [name for name, _ in made.visible(granted)] == ["b/offered"]


def test_a_key_that_is_confined_to_models_is_told_so() -> None:
    made = table(facts("ns-a", "one", "one", "uno"), facts("ns-a", "two"))
    confined = caller(models=frozenset({"one"}))
    assert found(made, confined, "uno") == ("ns-a", "one")
    assert found(made, confined, "two") == "model_not_allowed"
    assert {name for name, _ in made.visible(confined)} == {"one", "uno"}


def test_of_two_deployments_with_one_name_the_older_serves_until_it_goes() -> None:
    made = table(facts("ns-a", "young", "m", created="2"), facts("ns-a", "old", "m", created="1"))
    assert found(made, caller(), "m") == ("ns-a", "old")
    made.drop_deployment(("ns-a", "old"))
    assert found(made, caller(), "m") == ("ns-a", "young")


def test_a_renamed_deployment_is_found_by_its_new_name_alone() -> None:
    made = table(facts("ns-a", "d", "before"))
    made.put_deployment(facts("ns-a", "d", "after"))
    assert found(made, caller(), "before") == "model_not_found"
    assert found(made, caller(), "after") == ("ns-a", "d")


def test_addresses_that_get_no_more_requests_are_left_and_others_never() -> None:
    left: list[tuple[str, int]] = []
    made = RouteTable(LoadBook(), PROJECTS.get, left.append)
    made.put_deployment(facts("ns-a", "d"))

    def pods(*named: tuple[str, str, bool]) -> EndpointSetFacts:
        endpoints = tuple(EndpointFacts(pod, "r1", address, 1, True, ending) for pod, address, ending in named)
        return EndpointSetFacts(("ns-a", "d"), "OpenAI", "Simulated", "d", endpoints)

    made.put_endpoints(pods(("p1", "10.0.0.1", False), ("p2", "10.0.0.2", False), ("p3", "10.0.0.3", False)))
    assert left == []
    made.put_endpoints(pods(("p1", "10.0.0.1", True), ("p2", "10.0.0.2", False)))
    assert sorted(left) == [("10.0.0.1", 1), ("10.0.0.3", 1)]
    left.clear()
    made.put_endpoints(pods(("p1", "10.0.0.1", True), ("p4", "10.0.0.2", False)))
    assert left == [("10.0.0.1", 1)], "an address that another pod has taken over is kept"
    left.clear()
    made.drop_endpoints(("ns-a", "d"))
    assert sorted(left) == [("10.0.0.1", 1), ("10.0.0.2", 1)]


def test_of_revisions_that_are_gone_nothing_is_told_once_they_answer_nobody() -> None:
    book = LoadBook()
    made = RouteTable(book, PROJECTS.get)
    made.put_deployment(facts("ns-a", "d"))

    def serve(*revisions: str) -> set[str]:
        endpoints = tuple(EndpointFacts(f"p-{one}", one, "10.0.0.1", 1, True) for one in revisions)
        made.put_endpoints(EndpointSetFacts(("ns-a", "d"), "OpenAI", "Simulated", "d", endpoints))
        return {one.revision for one in book.revisions()}

    for revision in ("", "r1", "r2", "r3"):
        book.count(("ns-a", "d"), revision).requests = 1
    book.count(("ns-a", "d"), "r2").in_flight = 1
    assert serve("r3") == {"", "r2", "r3"}
    book.count(("ns-a", "d"), "r2").in_flight = 0
    assert serve("r3", "r4") == {"", "r3"}


def test_an_endpoint_is_left_at_its_port_for_grpc_too() -> None:
    left: list[tuple[str, int]] = []
    made = RouteTable(LoadBook(), PROJECTS.get, left.append)
    made.put_deployment(facts("ns-a", "d"))
    endpoint = EndpointFacts("p1", "r1", "10.0.0.1", 8000, True, grpc_port=8001)
    made.put_endpoints(EndpointSetFacts(("ns-a", "d"), "OpenInference", "Triton", "d", (endpoint,)))
    made.drop_endpoints(("ns-a", "d"))
    assert sorted(left) == [("10.0.0.1", 8000), ("10.0.0.1", 8001)]
