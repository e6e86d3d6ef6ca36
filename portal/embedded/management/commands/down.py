"""`manage.py down`: gives way to `portal.embedded.down`, which needs neither Django nor a database."""

from portal.embedded.handover import Handover


class Command(Handover):
    """Stop a running Berth."""

    help = "Stop a running Berth."
    module = "portal.embedded.down"
