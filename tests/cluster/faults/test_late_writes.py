"""A write that reaches the server after its object has gone brings nothing back."""

from collections.abc import Callable

from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Asked
from support.cluster.objects import Objects, wait_until
from support.model_objects import children, model, pods
from support.running_operator import RunningOperator
from support.troubles import KIND, LONG, rolled_out, unhurt


def nothing_left(objects: Objects, name: str) -> None:
    wait_until(
        lambda: not children(objects, name) and not pods(objects, name), LONG, lambda: str(children(objects, name))
    )


def overtaken(objects: Objects, verb: str, resource: str) -> Callable[[Asked], None]:
    """Before the server sees this write, the deployment and all its children go."""
    met: list[Asked] = []

    def hook(each: Asked) -> None:
        if met or (each.verb, each.resource, each.namespace) != (verb, resource, objects.namespace):
            return
        met.append(each)
        objects.delete(KIND, "late", propagationPolicy="Background")
        objects.wait_gone(KIND, "late")
        nothing_left(objects, "late")

    return hook


def test_an_update_that_comes_late_makes_nothing_anew(
    objects: Objects, proxy: FaultProxy, running: RunningOperator
) -> None:
    objects.create(model("late"))
    rolled_out(objects, "late")
    proxy.before_write(overtaken(objects, "patch", "deployments"))
    with unhurt(running):
        objects.merge(KIND, "late", {"spec": {"replicas": 3}})
        objects.wait_gone(KIND, "late")
        wait_until(lambda: refused(proxy, objects, "patch deployments"), LONG, "the late write was not answered")
    assert not [one for one in children(objects, "late") if one["kind"] == "Deployment"]


def refused(proxy: FaultProxy, objects: Objects, what: str) -> bool:
    """The late write was refused: there was nothing of that uid and version any more."""
    mine = [one for one in proxy.writes if one.namespace == objects.namespace]
    return any(f"{one.verb} {one.resource}" == what and one.status in (404, 409, 422) for one in mine)


def test_a_create_that_comes_late_is_removed(objects: Objects, proxy: FaultProxy, running: RunningOperator) -> None:
    proxy.before_write(overtaken(objects, "create", "poddisruptionbudgets"))
    with unhurt(running):
        objects.create(model("late"))
        objects.wait_gone(KIND, "late")
        wait_until(lambda: made(proxy, objects, "poddisruptionbudgets"), LONG, "the late write was not made")
        nothing_left(objects, "late")
        running.wait_idle()
    nothing_left(objects, "late")


def made(proxy: FaultProxy, objects: Objects, resource: str) -> bool:
    return any(one.resource == resource and one.namespace == objects.namespace and one.status for one in proxy.writes)
