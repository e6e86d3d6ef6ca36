"""`manage.py status`: gives way to `portal.embedded.status`, which needs neither Django nor a database."""

from portal.embedded.handover import Handover


class Command(Handover):
    """Say what runs."""

    help = "Say what runs."
    module = "portal.embedded.status"
