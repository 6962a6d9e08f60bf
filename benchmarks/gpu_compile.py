"""Compiles JAX functions for a named NVIDIA card on a machine that has none.

README.md says which wheels this needs. `prepare` runs before JAX is imported. Matrix products are
not autotuned, and sorts are XLA's own instead of those of CUB, because both need a card.
"""

import contextlib
import importlib.util
import os
from typing import Any, NamedTuple

WHEELS = {
    "jax_plugins.xla_cuda12": "jax-cuda12-plugin, jax-cuda12-pjrt",
    "nvidia.cuda_nvcc": "nvidia-cuda-nvcc-cu12",
}


class Card(NamedTuple):
    """What XLA asks of a card.

    Attributes:
      capability: the major number of its compute capability.
      cores: streaming multiprocessors.
      bandwidth: of its memory, bytes per second.
      cache: L2, bytes.
      memory: bytes.
      shared_memory: of a core, bytes.
      units: of a core for float32.
      clock: GHz.
    """

    capability: int
    cores: int
    bandwidth: int
    cache: int
    memory: int
    shared_memory: int
    units: int
    clock: float


CARDS = {
    "h200": Card(9, 132, 4_800_000_000_000, 52428800, 151397597184, 233472, 128, 1.98),
    "h100": Card(9, 132, 3_352_000_000_000, 52428800, 84929347584, 233472, 128, 1.98),
    "a100": Card(8, 108, 2_039_000_000_000, 41943040, 85100068864, 167936, 64, 1.41),
}

# XLA's stream_executor.GpuTargetConfigProto as text.
TARGET = """
gpu_device_info {{
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: {card.shared_memory}
  shared_memory_per_block_optin: {shared_memory_per_block}
  threads_per_core_limit: 2048
  core_count: {card.cores}
  fpus_per_core: {card.units}
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: {card.bandwidth}
  l2_cache_size: {card.cache}
  clock_rate_ghz: {card.clock}
  device_memory_size: {card.memory}
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
  cuda_compute_capability {{ major: {card.capability} }}
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 10 }}
runtime_version {{ major: 12 minor: 8 }}
device_description_str: "{name}"
"""


def missing_wheels() -> list[str]:
    """The wheels that the compiler needs and Python does not find."""

    def is_missing(module: str) -> bool:
        try:
            return importlib.util.find_spec(module) is None
        except ModuleNotFoundError:
            return True

    return [wheel for module, wheel in WHEELS.items() if is_missing(module)]


def prepare() -> None:
    """Makes JAX run on the CPU, and find the assembler. The plugin refuses to start without cuDNN
    unless it is not asked for.
    """
    os.environ["JAX_PLATFORMS"] = "cpu"
    # A program for another machine cannot be read back.
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    os.environ["PATH"] = os.pathsep.join([f"{_toolkit()}/bin", os.environ.get("PATH", "")])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def compile_for(card: str, function: Any, arguments: Any) -> tuple[Any, int]:
    """Compiles a function.

    Args:
      card: key of CARDS.
      function: of the arguments.
      arguments: trees of jax.ShapeDtypeStruct.

    Returns:
      jax.stages.Compiled, which has the optimised HLO and the sizes of memory, and cannot run; and
      the number of lines of the StableHLO that went in.
    """
    import jax
    from jax.experimental import topologies
    from jax.sharding import SingleDeviceSharding

    target = TARGET.format(
        card=CARDS[card],
        name=f"NVIDIA {card.upper()}",
        # CUDA keeps 1 kB of a core's.
        shared_memory_per_block=CARDS[card].shared_memory - 1024,
    )
    topology = topologies.get_topology_desc(platform="cuda", target_config=target, topology="1x1x1")
    place = SingleDeviceSharding(topology.devices[0])
    there = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), arguments
    )
    with on_card(card):
        lowered = jax.jit(function).trace(*there).lower(lowering_platforms=("cuda",))
        lines = len(lowered.as_text().splitlines())
        options = {"xla_gpu_autotune_level": 0, "xla_gpu_cuda_data_dir": _toolkit()}
        return lowered.compile(options), lines


@contextlib.contextmanager
def on_card(card: str):
    """Tells what is traced and lowered about the card."""
    from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

    device = AbstractDevice(f"NVIDIA {card.upper()}", num_cores=CARDS[card].cores, platform="gpu")
    with use_abstract_mesh(AbstractMesh((), (), abstract_device=device)):
        yield


def _toolkit() -> str:
    spec = importlib.util.find_spec("nvidia.cuda_nvcc")
    assert spec is not None and spec.submodule_search_locations
    return next(iter(spec.submodule_search_locations))
