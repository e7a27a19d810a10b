"""Routes of objects, on a control plane whose API server keeps them."""

from support.object_routes import *  # noqa: F403 - the suite
