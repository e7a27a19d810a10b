"""Which kinds has Mizzen, and how does `kubectl get` show them?"""

from crdgen.definition import Column, Kind
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rules import CHANGE_RULES, ROOT_RULES, SPEC_RULES
from mizzen_crds.v1alpha1.serving_runtime import RUNTIME_RULES, ServingRuntime

_READY = '.status.conditions[?(@.type=="Ready")]'

MODEL_DEPLOYMENT = Kind(
    model=ModelDeployment,
    plural="modeldeployments",
    short_name="mzd",
    scope="Namespaced",
    columns=(
        Column("Ready", f"{_READY}.status", description="Whether callers get answers."),
        Column("Reason", f"{_READY}.reason", description="Why; the table of reasons has the remedy."),
        Column("Ready Replicas", ".status.readyReplicas", "integer"),
        Column("Desired", ".status.desiredReplicas", "integer"),
        Column("Model", ".status.resolvedModel.source"),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("Engine", ".spec.engine.type", wide=True),
        Column("Revision", ".status.revisions[0].name", wide=True),
        Column("URL", ".status.url", wide=True),
    ),
    rules=(*ROOT_RULES, *SPEC_RULES, *CHANGE_RULES),
    scalable=True,
)

SERVING_RUNTIME = Kind(
    model=ServingRuntime,
    plural="servingruntimes",
    short_name="mzr",
    scope="Cluster",
    columns=(
        Column("Engine", ".spec.engine"),
        Column("Protocol", ".spec.protocol"),
        Column("Image", ".spec.image", wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
    rules=RUNTIME_RULES,
)

KINDS = (MODEL_DEPLOYMENT, SERVING_RUNTIME)
