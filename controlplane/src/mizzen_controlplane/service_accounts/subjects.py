"""Who is a service account when it calls? A subject that holds what is bound to it, in its own project alone."""

from mizzen_controlplane.kit.permission import Permission
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.service_accounts.models import ServiceAccount


def principal_of(account: ServiceAccount) -> str:
    """What bindings call it."""
    return f"service-account:{account.id}"


def subject_of(account: ServiceAccount) -> Subject:
    """The subject that a service account is."""
    return Subject(principal_of(account), frozenset({Permission.SELF}), project_id=account.project_id)
