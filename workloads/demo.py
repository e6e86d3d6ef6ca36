"""The demo's own work: a few submissions in several states, made once through the services and really run.

What is here is data and one step of submitting; `run_demo` decides when. Each runs for 20 s at most, so that the
queue is free a minute after the cluster is there; meanwhile one of them waits for the memory of its tenant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from portal.core import demomarks
from portal.core.errors import Denied, NotVisible, Rejected
from portal.core.models import User
from tenants.models import Tenant
from workloads.models import Template, Workload
from workloads.services import workload_submit
from workloads.specs import JobSpec, spec_of
from workloads.templatereads import starting_spec

_WATCH = """\
import os
import time

seconds = float(os.environ["SECONDS"])
until = time.monotonic() + seconds
while (left := until - time.monotonic()) > 0:
    one, five, _fifteen = os.getloadavg()
    print(f"load {one:5.2f}  {'#' * min(round(one * 10), 60)}  (5 min {five:.2f}, {left:.0f} s left)")
    time.sleep(2)
print("the watch is over")
"""
_LONG = """\
import time

for batch in range(1, 21):
    print(f"batch {batch} of 20: nothing new, on to the next")
    time.sleep(1)
"""
_COUNT = """\
import time

for part in range(1, 11):
    time.sleep(1)
    print(f"part {part} of 10 transcribed")
print("done")
"""


@dataclass(frozen=True)
class Sample:
    """One submission: whose, where, from which template, and what is different from it."""

    name: str
    owner: str
    tenant: str
    template: str
    env: Mapping[str, str] = field(default_factory=dict)
    script: str = ""
    cpu_millicores: int = 100
    memory_mib: int = 128
    parent: str = ""


SAMPLES = (
    Sample("look-around", "guest", "speech", "shell-command", memory_mib=32),
    Sample("train-spirals", "dev", "vision", "training-loop", {"STEPS": "30"}, cpu_millicores=300),
    Sample("fails", "dev", "vision", "fails-on-purpose", memory_mib=64),
    Sample("eats-memory", "dev", "vision", "uses-too-much-memory", memory_mib=96),
    Sample("long-evaluation", "dev", "vision", "python-script", script=_LONG, memory_mib=64),
    Sample(
        "train-spirals-slow", "dev", "vision", "training-loop", {"STEPS": "30", "LEARNING_RATE": "0.2"},
        cpu_millicores=300, parent="train-spirals",
    ),
    Sample("prints-fast", "lead", "vision", "prints-fast", {"LINES": "5000"}, memory_mib=64),
    Sample("watch-the-load", "dev", "vision", "python-script", {"SECONDS": "20"}, _WATCH, 50, 64),
    Sample("transcribe-archive", "guest", "speech", "python-script", {"SECONDS": "15"}, _WATCH, 50, 1_280),
    Sample("transcribe-new", "guest", "speech", "python-script", {}, _COUNT, 50, 1_024),
)  # fmt: skip
CANCELLED = "long-evaluation"
CANCELLED_BY = "lead"


def submit_missing() -> list[str]:
    """Submit the samples that were not submitted before, each with its mark in one transaction; return their names.

    One whose owner, tenant or template is gone, or that is refused, is left out: people may change the demo.
    """
    tenants = {tenant.slug: tenant for tenant in Tenant.objects.filter(pk__in=demomarks.ids_made(Tenant))}
    known = demomarks.names_made(Workload, tenant_ids=[tenant.pk for tenant in tenants.values()])
    made = []
    for sample in SAMPLES:
        if sample.tenant in tenants and sample.name not in known and _submit(sample, tenants[sample.tenant]):
            made.append(sample.name)
    return made


def sample_workload(name: str) -> Workload | None:
    """Return the demo's own workload of a name, while its tenant is the demo's."""
    sample = next(sample for sample in SAMPLES if sample.name == name)
    rows = Workload.objects.filter(pk__in=demomarks.ids_made(Workload), name=name, tenant__slug=sample.tenant)
    return rows.order_by("-created").first()


def _submit(sample: Sample, tenant: Tenant) -> bool:
    owner = User.objects.filter(username=sample.owner, is_active=True).first()
    rows = Template.objects.filter(slug=sample.template, tenant__isnull=True, current__isnull=False)
    template = rows.select_related("tenant", "current").first()
    if owner is None or template is None or template.current is None:
        return False
    parent = sample_workload(sample.parent) if sample.parent else None
    try:
        with transaction.atomic():
            spec = spec_from(sample, starting_spec(template, template.current))
            workload, _replayed = workload_submit(actor=owner, tenant=tenant, spec=spec, parent=parent)
            demomarks.mark_made(workload, name=sample.name, tenant_id=tenant.pk)
    except (Denied, NotVisible, Rejected):
        return False
    return True


def spec_from(sample: Sample, starting: Mapping[str, Any]) -> JobSpec:
    """Return what is submitted: what a template fills the form with, and the sample's differences."""
    given = {**starting, "name": sample.name, "env": {**starting.get("env", {}), **sample.env}}
    if sample.script:
        given["script"] = sample.script
    given["resources"] = {"cpu_millicores": sample.cpu_millicores, "memory_mib": sample.memory_mib}
    return spec_of(given)
