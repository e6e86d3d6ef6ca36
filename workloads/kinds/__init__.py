"""The kinds of workloads: each module turns a spec into manifests, purely. A new kind is a module and a line here."""

from collections.abc import Callable, Mapping

from workloads import manifests
from workloads.kinds import job
from workloads.manifests import BuildContext, Manifest

Builder = Callable[[BuildContext], list[Manifest]]

BUILDERS: Mapping[str, Builder] = {"job": job.build}

__all__ = ["BUILDERS", "BuildContext", "Manifest", "UnsafeManifest", "build"]


class UnsafeManifest(RuntimeError):
    """A builder made an object that may not be sent: a fault of Berth's, never of a user."""


def build(context: BuildContext) -> list[Manifest]:
    """Return the objects of one attempt in the order of their making, the root object last.

    Raises KeyError for an unknown kind, UnsafeManifest when what was built breaks a rule.
    """
    built = BUILDERS[context.spec.kind](context)
    extra = context.extra_amounts.keys()
    if faults := [fault for manifest in built for fault in manifests.revalidate(manifest, extra)]:
        raise UnsafeManifest("; ".join(faults))
    return built
