"""`manage.py backup`: gives way to `portal.embedded.backup`, which starts the database that it needs."""

from portal.embedded.handover import Handover


class Command(Handover):
    """Write a backup."""

    help = "Write all that cannot be made again into one file."
    module = "portal.embedded.backup"
