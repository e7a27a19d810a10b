"""What do containers in a cluster print? Asked of the API server, which asks the nodes."""

from collections.abc import AsyncIterator
from http import HTTPStatus

from mizzen_crds.v1alpha1 import labels
from mizzen_kube.api import Api, Selection
from mizzen_kube.errors import ApiError
from mizzen_kube.resources import PODS

from mizzen_controlplane.cluster.api_refusals import translated
from mizzen_controlplane.cluster.log_source import Container


class KubernetesLogs:
    """A LogSource over the Kubernetes API."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def containers(self, namespace: str, deployment: str) -> list[Container]:
        """Containers of all pods of the deployment."""
        with translated("Pod"):
            pods, _ = await self._api.list(
                PODS, Selection(namespace, label_selector=f"{labels.DEPLOYMENT}={deployment}")
            )
        ordered = sorted(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
        return [
            Container(pod["metadata"]["name"], one["name"])
            for pod in ordered
            for kind in ("initContainers", "containers")
            for one in pod["spec"].get(kind) or ()
        ]

    async def lines(self, namespace: str, container: Container, tail: int, *, follow: bool) -> AsyncIterator[bytes]:
        """Lines as they come; none of a container that has not started, or whose pod has gone."""
        rest = b""
        try:
            async for piece in self._api.log(container.pod, namespace, container.name, tail=tail, follow=follow):
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    yield line
        except ApiError as error:
            if error.status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND):  # not started yet, or gone
                yield f"(broken off: {error.message})".encode()
        if rest:
            yield rest
