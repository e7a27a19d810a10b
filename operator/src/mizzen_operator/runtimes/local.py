"""What does a runtime look like on one machine without containers? Its `local` section, folded into the rest."""

from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime


def localized(runtime: ServingRuntime) -> ServingRuntime:
    """Return the runtime with `local.env` in its environment and `local.args` in its command.

    The local runner passes this to `desired`. Revision hashes do not change with it: no runtime enters them.
    """
    spec, local = runtime.spec, runtime.spec.local
    replaced = {one.name for one in local.env}
    env = [one for one in spec.env if one.name not in replaced] + list(local.env)
    return runtime.model_copy(
        update={"spec": spec.model_copy(update={"env": env, "command": [*spec.command, *local.args]})}
    )
