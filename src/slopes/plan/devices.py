"""Figures of devices: how fast they compute, read memory and talk to each other, and how much they hold; from data sheets, or measured."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import ArgumentError


@dataclass(frozen=True)
class Device:
    """A kind of device.

    flops      float32 operations per second, products in full float32 precision as slopes asks for
    memory     bytes
    bandwidth  bytes per second between memory and processor
    link       bytes per second that one device sends to its neighbours, in one direction
    source     where the figures are from
    """

    name: str
    flops: float
    memory: float
    bandwidth: float
    link: float
    source: str = ""


DEVICES = {device.name: device for device in (
    Device("h100", 67e12, 80e9, 3.35e12, 450e9, "NVIDIA H100 SXM5 data sheet (2023): FP32, HBM3, half of NVLink's 900 GB/s"),
    Device("a100", 19.5e12, 80e9, 2.039e12, 300e9, "NVIDIA A100 80GB SXM data sheet (2021): FP32, HBM2e, half of NVLink's 600 GB/s"),
    Device("v5e", 197e12 / 6, 16e9, 819e9, 100e9, "Google Cloud, TPU v5e: 197 TFLOP/s in bfloat16, of which a float32 product takes six; "
           "HBM2; half of 1,600 Gbit/s between chips"),
)}


def find_device(name: str) -> Device:
    """The device of this name, or that of a JSON file with flops, memory, bandwidth, link and perhaps a name and a source."""
    if name in DEVICES:
        return DEVICES[name]
    path = Path(name)
    if not path.is_file():
        raise ArgumentError(f"--device {name}: there is no such device or file", why=f"known are {', '.join(DEVICES)}, and cpu: this "
                            "machine, measured", repair="name one of them, or a JSON file with flops, memory, bandwidth and link")
    try:
        fields: dict[str, Any] = {"name": path.stem, "source": str(path), **json.loads(path.read_text(encoding="utf-8"))}
        device = Device(**fields)
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"--device {name}: this file does not describe a device", why=str(error),
                            repair=f"write it like {json.dumps(asdict(DEVICES['h100']))}") from error
    figures = device.flops, device.memory, device.bandwidth, device.link
    if not all(isinstance(value, int | float) and value > 0 for value in figures):
        raise ArgumentError(f"--device {name}: flops, memory, bandwidth and link are {figures}", why="they have to be numbers above 0")
    return device


# ---------------------------------------------------------------------- measured
SIDE, BYTES, TIMES = 2048, 1 << 26, 5


def measure_device(jax: Any) -> Device:
    """The figures of JAX's first device, measured in about a second; of its link, where there are several."""
    xp, devices = jax.numpy, jax.devices()
    x, long = xp.ones((SIDE, SIDE)), xp.ones(BYTES // 4)
    flops = 2 * SIDE**3 / seconds(jax.jit(lambda x: xp.dot(x, x, precision="highest")), x)
    bandwidth = 2 * BYTES / seconds(jax.jit(lambda x: x + 1), long)
    return Device(f"{devices[0].platform} (measured)", flops, memory_of(devices[0]), bandwidth, measure_link(jax, devices) or bandwidth,
                  "measured on this machine" + ("" if len(devices) > 1 else "; one device: its link is taken for its memory"))


def measure_link(jax: Any, devices: list[Any]) -> float:
    """Bytes per second of an all-reduce's ring; 0 with one device."""
    if len(devices) < 2:
        return 0.0
    mesh, spec = jax.make_mesh((len(devices),), ("all",)), jax.sharding.PartitionSpec
    x = jax.device_put(jax.numpy.ones((len(devices), BYTES // 64)), jax.sharding.NamedSharding(mesh, spec("all")))
    total = jax.jit(jax.shard_map(lambda x: jax.lax.psum(x, "all"), mesh=mesh, in_specs=spec("all"), out_specs=spec(None)))
    return 2 * (len(devices) - 1) / len(devices) * (BYTES // 16) / seconds(total, x)


def seconds(function: Callable[..., Any], *args: Any) -> float:
    """The shortest of a few calls."""
    function(*args).block_until_ready()
    times = []
    for _ in range(TIMES):
        started = time.perf_counter()
        function(*args).block_until_ready()
        times.append(time.perf_counter() - started)
    return min(times)


def memory_of(device: Any) -> float:
    """The memory of a device: what it says, else that of the machine."""
    limit = (device.memory_stats() or {}).get("bytes_limit")
    return float(limit) if limit else float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
