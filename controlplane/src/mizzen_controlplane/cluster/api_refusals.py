"""What does an API server's refusal mean to a caller of the REST API? One problem for each, with the server's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from mizzen_kube.errors import ApiError, ConflictError, ForbiddenError, InvalidError, NotFoundError

from mizzen_controlplane.cluster.objects import ObjectKey
from mizzen_controlplane.kit.problem import Conflict, Invalid, Problem, Unavailable


@contextmanager
def translated(key: ObjectKey | str) -> Iterator[None]:
    """Raise problems where the block raises an ApiError."""
    try:
        yield
    except ApiError as error:
        raise problem_of(error, key) from error


def problem_of(error: ApiError, key: ObjectKey | str) -> Problem:
    """The problem. Which object it is about is said by `key`."""
    if isinstance(error, InvalidError):
        return Invalid(_words(error), code="invalid_object")
    if isinstance(error, ConflictError):
        return Conflict(
            f"{key} was changed by someone else at this moment. Read it again, then repeat the change.",
            code="changed_meanwhile",
        )
    if isinstance(error, NotFoundError) and isinstance(key, ObjectKey):
        return Conflict(
            f"The cluster has no namespace {key.namespace!r} for {key}. The operator makes it for a Project that names "
            "it: see `kubectl get projects.mizzen.dev`, and its status for what is in the way.",
            code="namespace_missing",
        )
    if isinstance(error, ForbiddenError):
        return Conflict(f"The cluster refuses: {_words(error)}", code="refused_by_the_cluster")
    return Unavailable(
        "The Kubernetes API server, which keeps deployments, does not answer as it should. Try again; see that it runs "
        f"and can be reached from the control plane. It said: {_words(error)}",
        code="api_server_unavailable",
        headers={"Retry-After": str(round(error.retry_after or 2))},
    )


def _words(error: ApiError) -> str:
    """The server's own, without the request that they answer."""
    _, found, said = error.message.partition(f"{error.status} {error.reason}: ")
    return said if found and error.status else error.message
