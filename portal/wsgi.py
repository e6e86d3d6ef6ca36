"""WSGI entry point: pages only, for production behind a separate sockets process."""

import os

from django.core.wsgi import get_wsgi_application

import portal.celery  # noqa: F401

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()
