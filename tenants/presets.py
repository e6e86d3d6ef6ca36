"""Resource types that every installation has. Others are rows that an administrator adds."""

from dataclasses import dataclass

from tenants.specs import CPU, GPUS, MEMORY, PODS, Unit


@dataclass(frozen=True, slots=True)
class Preset:
    """A resource type as it is first made; whatever an administrator changes in it later stays."""

    key: str
    kube_name: str
    label_en: str
    label_zh: str
    unit: Unit
    quota_key: str
    position: int


ALWAYS = (
    Preset(CPU, "cpu", "CPU cores", "CPU 核数", Unit.MILLICORES, "requests.cpu", 10),
    Preset(MEMORY, "memory", "Memory", "内存", Unit.MIB, "requests.memory", 20),
    Preset(GPUS, "nvidia.com/gpu", "GPUs", "GPU", Unit.COUNT, "requests.nvidia.com/gpu", 30),
    Preset(PODS, "pods", "Pods", "Pod", Unit.COUNT, "pods", 40),
)
