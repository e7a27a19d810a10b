"""Is the endpoint picker there that the spec names? Asked of the server: Services of others are not watched."""

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rollout import RoutingPolicy
from mizzen_kube import resources
from mizzen_kube.api import Api
from mizzen_kube.errors import NotFoundError

from mizzen_operator.observation import Refusal


async def picker_refusal(deployment: ModelDeployment, api: Api) -> tuple[Refusal, ...]:
    """Return why gateways cannot ask the picker; nothing where they can, or where none is to be asked.

    It stops no pod: without a picker gateways choose by load. Raises ApiError where the server does not say.
    """
    routing, namespace = deployment.spec.routing, deployment.metadata.namespace
    if routing.policy is not RoutingPolicy.EXTERNAL:
        return ()
    name = (routing.endpoint_picker_ref or "").partition(":")[0]
    try:
        await api.get(resources.SERVICES, name, namespace)
    except NotFoundError:
        text = (
            f"There is no Service {name} in the namespace {namespace} (spec.routing.endpointPickerRef), so gateways "
            "choose by load. Make it, or choose another spec.routing.policy."
        )
        return (Refusal(conditions.ENDPOINT_PICKER_NOT_FOUND, text),)
    return ()
