"""Which kinds has Mizzen, and how does `kubectl get` show them?"""

from crdgen.definition import Column, Kind
from mizzen_crds.v1alpha1.accelerator_class import CLASS_RULES, AcceleratorClass
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rules import CHANGE_RULES, ROOT_RULES, SPEC_RULES
from mizzen_crds.v1alpha1.model_route import ModelRoute
from mizzen_crds.v1alpha1.model_route.rules import ROUTE_ROOT_RULES, ROUTE_RULES
from mizzen_crds.v1alpha1.naming import SHORT_NAME_RULE
from mizzen_crds.v1alpha1.project import Project
from mizzen_crds.v1alpha1.project.rules import PROJECT_ROOT_RULES, PROJECT_RULES
from mizzen_crds.v1alpha1.serving_runtime import RUNTIME_RULES, ServingRuntime

_READY = '.status.conditions[?(@.type=="Ready")]'
_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_REASON = Column("Reason", f"{_READY}.reason", description="Why; the table of reasons has the remedy.")

MODEL_DEPLOYMENT = Kind(
    model=ModelDeployment,
    plural="modeldeployments",
    short_name="mzd",
    scope="Namespaced",
    columns=(
        Column("Ready", f"{_READY}.status", description="Whether callers get answers."),
        _REASON,
        Column("Ready Replicas", ".status.readyReplicas", "integer"),
        Column("Desired", ".status.desiredReplicas", "integer"),
        Column("Model", ".status.resolvedModel.source"),
        _AGE,
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
        _AGE,
    ),
    rules=RUNTIME_RULES,
)

ACCELERATOR_CLASS = Kind(
    model=AcceleratorClass,
    plural="acceleratorclasses",
    short_name="mzac",
    scope="Cluster",
    columns=(
        Column("Resource", ".spec.resourceName"),
        Column("Memory", ".spec.memory", description="Memory of one accelerator."),
        Column("Nodes", ".status.nodes", "integer"),
        Column("Accelerators", ".status.allocatable", "integer", description="Offered by schedulable nodes."),
        Column("Free", ".status.free", "integer", description="Requested by no pod."),
        _AGE,
        Column("Ready", f"{_READY}.status", wide=True),
        Column("Cost Per Hour", ".spec.costPerHour", wide=True),
        Column("Largest Free", ".status.largestFree", "integer", wide=True, description="Most on one node."),
    ),
    rules=(SHORT_NAME_RULE, *CLASS_RULES),
)

PROJECT = Kind(
    model=Project,
    plural="projects",
    short_name="mzp",
    scope="Cluster",
    columns=(
        Column("Ready", f"{_READY}.status", description="Whether everything is as the spec says."),
        _REASON,
        Column("Used", ".status.acceleratorsUsed", "integer", description="Accelerators in use, of all classes."),
        Column("Quota", ".status.acceleratorsHard", "integer", description="Accelerators allowed, of all classes."),
        _AGE,
        Column("Display Name", ".spec.displayName", wide=True),
        Column("Id", ".status.projectId", wide=True, description="Id in the control plane."),
    ),
    rules=(*PROJECT_ROOT_RULES, *PROJECT_RULES),
)

MODEL_ROUTE = Kind(
    model=ModelRoute,
    plural="modelroutes",
    short_name="mzroute",
    scope="Namespaced",
    columns=(
        Column("Ready", f"{_READY}.status", description="Whether callers get answers."),
        _REASON,
        Column("Served As", ".status.servedName", description="What callers put in model."),
        Column("Accepted", '.status.conditions[?(@.type=="Accepted")].status'),
        Column("Resolved", '.status.conditions[?(@.type=="ResolvedRefs")].status'),
        _AGE,
        Column("URL", ".status.url", wide=True),
    ),
    rules=(*ROUTE_ROOT_RULES, *ROUTE_RULES),
)

KINDS = (MODEL_DEPLOYMENT, SERVING_RUNTIME, ACCELERATOR_CLASS, PROJECT, MODEL_ROUTE)
