"""`manage.py up`: gives way to `portal.embedded`, which needs neither Django nor a database."""

from portal.embedded.handover import Handover


class Command(Handover):
    """Start the whole product on this machine."""

    help = "Start the portal and everything that it needs on this machine."
    module = "portal.embedded"
