"""Runs a log collector until SIGTERM or SIGINT; any number of them may run."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from portal.kube.client import connect_logs
from workloads.logs.chunkstore import chunk_store
from workloads.logs.collector import Collector


class Command(BaseCommand):
    """The process `logcollector`."""

    help = "Follow, number and store the logs of all running workloads."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the collector's event loop."""
        asyncio.run(_main())


async def _main() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    logs = connect_logs()
    try:
        await Collector(logs=logs, store=chunk_store()).run(stop)
    finally:
        await logs.aclose()
