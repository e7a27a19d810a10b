"""How is an event shown? With what is personal in it, so far as that was not erased."""

from collections.abc import Iterable

from mizzen_controlplane.audit.models import AuditEvent, PersonalContent
from mizzen_controlplane.audit.schemas import AuditEventView, PersonalView


def event_view(event: AuditEvent, personal: Iterable[PersonalContent]) -> AuditEventView:
    """The event on the wire."""
    shown = AuditEventView.model_validate(event)
    shown.personal = [PersonalView.model_validate(each) for each in personal]
    return shown
