"""Resource types that every installation has, and known ones to begin others from, which an administrator adds."""

from dataclasses import dataclass
from typing import NamedTuple

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


class Known(NamedTuple):
    """A resource of Kubernetes or of a device plug-in that is worth a word of its own, before anybody added it."""

    kube_name: str
    key: str
    label_en: str
    label_zh: str


# Names as the device plug-ins of their makers give them; a plug-in may be set up to give others.
KNOWN = (
    Known("hugepages-2Mi", "hugepages_2mi", "Huge pages of 2 MiB", "2 MiB 大页"),
    Known("hugepages-1Gi", "hugepages_1gi", "Huge pages of 1 GiB", "1 GiB 大页"),
    Known("ephemeral-storage", "scratch_mib", "Extra scratch space", "额外临时存储"),
    Known("nvidia.com/mig-1g.10gb", "mig_1g_10gb", "MIG 1g.10gb", "MIG 1g.10gb"),
    Known("nvidia.com/mig-3g.40gb", "mig_3g_40gb", "MIG 3g.40gb", "MIG 3g.40gb"),
    Known("amd.com/gpu", "amd_gpus", "AMD GPUs", "AMD GPU"),
    Known("amd.com/xilinx_u250-xdma", "fpga_u250", "FPGA Alveo U250", "FPGA Alveo U250"),
    Known("intel.com/fpga-a10", "fpga_a10", "FPGA Arria 10", "FPGA Arria 10"),
    Known("rdma/hca", "rdma_hca", "RDMA adapters", "RDMA 网卡"),
    Known("intel.com/hfi1", "omni_path", "Omni-Path adapters", "Omni-Path 网卡"),
)
