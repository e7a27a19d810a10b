"""Every condition type and every reason, with what it means and what to do about it: one table, a file for each kind.

`docs/reference/conditions.md` is made from `REASONS`; the command line and the console show the remedy beside the
message.
"""

from mizzen_crds.v1alpha1.conditions.accelerator_class import *  # noqa: F403 -- one table in several files
from mizzen_crds.v1alpha1.conditions.condition_types import *  # noqa: F403 -- one table in several files
from mizzen_crds.v1alpha1.conditions.deployment import *  # noqa: F403 -- one table in several files
from mizzen_crds.v1alpha1.conditions.deployment_in_cluster import *  # noqa: F403 -- one table in several files
from mizzen_crds.v1alpha1.conditions.model_route import *  # noqa: F403 -- one table in several files
from mizzen_crds.v1alpha1.conditions.project import *  # noqa: F403 -- one table in several files
from mizzen_crds.v1alpha1.conditions.table import *  # noqa: F403 -- one table in several files
