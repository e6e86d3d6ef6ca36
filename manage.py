#!/usr/bin/env python3
"""Entry point of every Django command; `manage.py up` starts the whole product."""

import os
import sys

from django.core.management import execute_from_command_line

import portal.celery  # noqa: F401 (so that tasks are sent to our broker from every command)
from portal.env import EnvError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    try:
        execute_from_command_line(sys.argv)
    except EnvError as exc:
        sys.exit(f"Berth cannot start: {exc}")
