"""Names of labels, annotations, ports and mounted variables that more than one program reads."""

from typing import Final

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
DEPLOYMENT: Final = "mizzen.dev/deployment"
REVISION: Final = "mizzen.dev/revision"
COMPONENT: Final = "mizzen.dev/component"
PROJECT: Final = "mizzen.dev/project"
PHASE: Final = "mizzen.dev/phase"
"""On a pod: `fetch` while the fetch container may reach out, `serve` afterwards."""

RESTARTED_AT: Final = "mizzen.dev/restarted-at"
PROMOTE: Final = "mizzen.dev/promote"
"""On a ModelDeployment: `<revision>/<step>`, the canary step that a person lets pass."""

POD_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"

PORT_HTTP: Final = "http"
PORT_GRPC: Final = "grpc"
PORT_METRICS: Final = "metrics"

FIELD_OWNER_OPERATOR: Final = "mizzen-operator"
FIELD_OWNER_RUNNER: Final = "mizzen-runner"
