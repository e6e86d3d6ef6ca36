"""The labels of a node with pretended GPUs, as GPU Feature Discovery writes them. Only computes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class _Model:
    memory_mib: int
    family: str
    compute: tuple[int, int]


# Figures of the makers' data sheets; memory as the driver reports it.
_MODELS = {
    "NVIDIA-A100-SXM4-80GB": _Model(81920, "ampere", (8, 0)),
    "NVIDIA-A100-SXM4-40GB": _Model(40960, "ampere", (8, 0)),
    "NVIDIA-H100-80GB-HBM3": _Model(81559, "hopper", (9, 0)),
    "NVIDIA-L40S": _Model(46068, "ada-lovelace", (8, 9)),
    "Tesla-T4": _Model(15360, "turing", (7, 5)),
}
PRODUCTS = tuple(_MODELS)
_DRIVER = "575.57.08"


def labels(count: int, product: str) -> dict[str, str]:
    """Return the labels of a node with so many GPUs of a product; none for no GPUs."""
    if not count:
        return {}
    model = _MODELS[product]
    return {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.count": str(count),
        "nvidia.com/gpu.memory": str(model.memory_mib),
        "nvidia.com/gpu.family": model.family,
        "nvidia.com/gpu.compute.major": str(model.compute[0]),
        "nvidia.com/gpu.compute.minor": str(model.compute[1]),
        "nvidia.com/gpu.mode": "compute",
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.sharing-strategy": "none",
        "nvidia.com/mig.capable": "false",
        "nvidia.com/cuda.driver-version.full": _DRIVER,
    }
