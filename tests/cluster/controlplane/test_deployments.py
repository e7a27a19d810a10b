"""The routes of deployments, on a control plane whose API server keeps them."""

from support.deployment_routes import *  # noqa: F403 - the suite
