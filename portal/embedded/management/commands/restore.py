"""`manage.py restore`: gives way to `portal.embedded.restore`, which starts the database that it needs."""

from portal.embedded.handover import Handover


class Command(Handover):
    """Put a backup back."""

    help = "Put a backup back."
    module = "portal.embedded.restore"
