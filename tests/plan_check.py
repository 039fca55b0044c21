"""Compares plans with runs on eight devices of this machine: `python -m tests.plan_check`. Their memory is that of the process.

Each network runs a few steps in a process of its own. What it allocates while the steps run, beside the state that lies there before, is
compared with XLA's figure of all devices together; the collectives of the program that ran with those of the planned one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import numpy as np

import slopes as sl
from slopes import nn, optim
from slopes.plan.analysis import analyse
from slopes.xla.collectives import collectives_of, traffic
from slopes.xla.library import load_jax

DEVICES, WIDTH = 8, 1024
MESHES = {"data=8": {"data": 8}, "data=4,model=2": {"data": 4, "model": 2, "split": "wide"}, "data=8, zero": {"data": 8, "zero": True}}


class Peak(threading.Thread):
    """Looks at the size of this process as often as it can, which counts what is allocated, used or not yet."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.running = 0, True

    def run(self) -> None:
        """Look until told to stop."""
        while self.running:
            self.most = max(self.most, size())
            time.sleep(2e-4)


def size() -> int:
    """The bytes that this process has allocated."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


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
    bound, leaves = compiled.stepped_version(1, (x,), ())
    executable = bound.executable
    planned = analyse(executable.compile_step(), 4096)
    for _ in range(2):
        compiled(x)
    held = sum(part for part, _ in executable.held_bytes().values()) * DEVICES
    before, peak = size(), Peak()
    peak.start()
    for _ in range(3):
        compiled(x)
    peak.running = False
    measured = peak.most - before + held
    with executable.modes():
        args = [executable.put_input(0, x.numpy(), False)], *executable.state()
        ran = collectives_of(executable.program.once.lower(*args).compile().as_text())
    total = planned.memory * DEVICES
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
