"""Compares plans with runs on eight devices of this machine: `python -m tests.plan_check`.

Each network runs in a process of its own. The memory of a device is that of the arrays which lie on it during the call, and what XLA
allocates for the program that ran; it and the collectives of that program are compared with those of the plan, for which nothing runs.
"""

from __future__ import annotations

import os
import subprocess
import sys

import jax
import numpy as np

import slopes as sl
from slopes import nn, optim
from slopes.plan.analysis import analyse
from slopes.xla.collectives import collectives_of, traffic
from slopes.xla.library import load_jax, modes

DEVICES, WIDTH = 8, 1024
MESHES = {"data=8": {"data": 8}, "data=4,model=2": {"data": 4, "model": 2, "split": "wide"}, "data=8, zero": {"data": 8, "zero": True}}


def held_bytes() -> int:
    """The bytes of all arrays that lie on the first device."""
    first = jax.devices()[0]
    return sum(shard.data.nbytes for array in jax.live_arrays() for shard in array.addressable_shards if shard.device == first)


def check(name: str) -> None:
    """Print planned and measured figures of one mesh."""
    net = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 16))
    optimizer = optim.Adam(net.parameters(), lr=1e-4)

    def step(x):
        loss = (net(x) ** 2).mean()
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    compiled = sl.compile(step, backend="xla", mesh=sl.mesh(**MESHES[name]))
    x = sl.asarray(np.ones((4096, WIDTH), np.float32))
    bound, _ = compiled.stepped_version(1, (x,), ())
    executable = bound.executable
    planned = analyse(executable.compile_step(), 4096)
    compiled(x)
    with modes(executable.jax):
        inputs = executable.put_input(0, x.numpy(), False)
        state = executable.state()
        held = held_bytes()
        program = executable.program.once.lower([inputs], *state).compile()
    ran, memory = collectives_of(program.as_text()), program.memory_analysis()
    measured = held + memory.temp_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    total = planned.memory
    print(f"{name:16} memory {total / 2**20:8.1f} MiB planned, {measured / 2**20:8.1f} measured ({measured / total - 1:+.1%}); "
          f"{sum(item.bytes for item in planned.collectives):,} bytes sent planned, {sum(item.bytes for item in ran):,} in the program "
          f"({', '.join(item.kind for item in traffic(ran))})", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        load_jax()
        check(sys.argv[1])
    else:
        for mesh in MESHES:
            flags = f"--xla_force_host_platform_device_count={DEVICES}"
            subprocess.run([sys.executable, "-m", "tests.plan_check", mesh], env={**os.environ, "XLA_FLAGS": flags}, check=True)
