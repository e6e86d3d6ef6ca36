"""Errors that a person may see. Each carries a translated message, never a traceback or another tenant's facts."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


class PortalError(Exception):
    """Base of everything that a service refuses; `message` is safe to show."""

    def __init__(self, message: Text) -> None:
        super().__init__(message)
        self.message = message


class NotVisible(PortalError):
    """The object is missing or of somebody else: shown as 404, the same for both."""

    def __init__(self) -> None:
        super().__init__(_("There is nothing here, or it is not yours to see."))


class Denied(PortalError):
    """The actor may see the object but not do this: shown as 403."""

    def __init__(self, message: Text = "") -> None:
        super().__init__(message or _("Ask an admin for a role that allows it."))


class Conflict(PortalError):
    """The object's state does not allow this: shown as 409."""


class Rejected(PortalError):
    """A value is not acceptable: `fields` maps a field's name to its messages ("" is the whole form); shown as 400."""

    def __init__(self, fields: Mapping[str, list[Text]]) -> None:
        super().__init__(_("Some values are not acceptable."))
        self.fields = dict(fields)


def reject(fields: Mapping[str, list[Text]]) -> None:
    """Raise Rejected where any field has a message."""
    if fields:
        raise Rejected(fields)


class IdempotencyReplay(Conflict):
    """The key was used for another request; `object_id` is what that one made."""

    def __init__(self, object_id: str) -> None:
        super().__init__(_("This form was sent before with other values."))
        self.object_id = object_id
