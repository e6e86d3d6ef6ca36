"""Which of Kubernetes' names can be a resource type, and what follows from the name alone. Pure.

The grammar is that of k8s.io/api `IsExtendedResourceName` and of `validateQualifiedName`: a DNS subdomain that is not
Kubernetes' own, a slash, and a name. Huge pages and scratch space are the two of Kubernetes' own that pods may ask for
beyond CPU and memory.
"""

import re

from tenants.specs import Unit

SCRATCH = "ephemeral-storage"
GPU = "nvidia.com/gpu"
MAX_DOMAIN = 253
MAX_KEY = 40
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")  # of a label's value, too
_HUGEPAGES = re.compile(r"hugepages-([1-9][0-9]{0,5})([MG])i")
_KEY = re.compile(rf"[a-z0-9](?:[a-z0-9_-]{{0,{MAX_KEY - 2}}}[a-z0-9])?")
_OURS = "kubernetes.io"
_QUOTA_PREFIX = "requests."


def nameable(kube_name: str) -> bool:
    """Tell whether pods can ask for a resource of this name beyond CPU, memory and their own number."""
    if kube_name == SCRATCH or _HUGEPAGES.fullmatch(kube_name):
        return True
    domain, slash, name = kube_name.partition("/")
    if not slash or len(domain) > MAX_DOMAIN or domain == _OURS or domain.endswith(f".{_OURS}"):
        return False
    # a quota on "requests.<name>" must be a valid name as well
    whole = not domain.startswith(_QUOTA_PREFIX) and len(_QUOTA_PREFIX + domain) <= MAX_DOMAIN
    return whole and _DOMAIN.fullmatch(domain) is not None and _NAME.fullmatch(name) is not None


def product_valid(product: str) -> bool:
    """Tell whether a text can be the value of a node's label that names its GPUs."""
    return _NAME.fullmatch(product) is not None


def unit_of(kube_name: str) -> Unit:
    """Return what amounts of it count: MiB of huge pages and scratch space, pieces of all else."""
    return Unit.MIB if kube_name == SCRATCH or _HUGEPAGES.fullmatch(kube_name) else Unit.COUNT


def quota_key_of(kube_name: str, gpu_product: str = "") -> str:
    """Return its name in a ResourceQuota; "" for a class of GPUs, and for scratch space, which each pod has anyway.

    What a tenant may ask for beyond that is added to the quota on scratch space as a whole.
    """
    return "" if kube_name == SCRATCH or gpu_product else _QUOTA_PREFIX + kube_name


def step_of(kube_name: str) -> int:
    """Return what amounts must be a multiple of: the size in MiB of a huge page, else 1."""
    found = _HUGEPAGES.fullmatch(kube_name)
    return 1 if found is None else int(found[1]) * (1024 if found[2] == "G" else 1)


def key_valid(key: str) -> bool:
    """Tell whether a key can name amounts: 1-40 of a-z, 0-9, and inner hyphens and underscores."""
    return _KEY.fullmatch(key) is not None


def key_of(kube_name: str) -> str:
    """Return a key made of a name: its part after the slash, in small letters."""
    name = kube_name.partition("/")[2] or kube_name
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower())[:MAX_KEY].strip("-_")
