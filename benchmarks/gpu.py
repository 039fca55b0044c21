"""Steps on a GPU: slopes on XLA beside the same networks in JAX, written by hand, and in PyTorch, eager and compiled.

    python -m benchmarks gpu                 on the first GPU, under eight minutes; without one, in small form on the CPU
    python -m benchmarks gpu lenet --small   one network, in small form

Each system has a process of its own, in float32 without shortcuts (no TF32). Model FLOP utilisation is the operations of the layers'
products (forward, and both gradients) divided by the time and by what a large matrix product reaches on the same device.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import networks as net
from .workloads import WORKLOADS, Workload, adamw, sgd, text

SYSTEMS = {"slopes": "jax", "JAX": "jax", "PyTorch": "torch", "torch.compile": "torch"}  # and the library that each needs
LIMIT = 90  # seconds that a process may take
SIDES = {"cpu": 1024}  # of the matrix product that is taken for the device's peak; of others 4096


def gpt_124(nn: Any) -> Any:
    """GPT-2's small size with tied weights and no biases: 12 layers of width 768, context 1,024, 124 million parameters."""
    return nn.Sequential(nn.GPT(50_257, 1024, 768, 12, 12), nn.Flatten(0, 1))


LARGE = {workload.name: workload for workload in (
    dataclasses.replace(WORKLOADS["lenet-sgd"], name="lenet", batch=256),
    dataclasses.replace(WORKLOADS["resnet20"], batch=128),
    Workload("resnet50", net.resnet50, net.RESNET50, sgd, (3, 224, 224), 1000, 64, (), batches=2),
    Workload("gpt-124m", gpt_124, net.transformer(1024, 768, 12, 50_257), adamw, (1024,), 50_257, 4, (), text, batches=2))}
SMALL = {workload.name: workload for workload in (
    dataclasses.replace(WORKLOADS["lenet-sgd"], name="lenet", batch=16),
    dataclasses.replace(WORKLOADS["resnet20"], batch=4),
    Workload("resnet50", net.resnet50, net.scaled(net.RESNET50, 64), sgd, (3, 64, 64), 1000, 2, (), batches=2),
    dataclasses.replace(WORKLOADS["gpt"], name="gpt-124m", batch=2, batches=2))}  # a small GPT stands for it


def main(arguments: list[str]) -> None:
    """Measure, and print the table; or be one of its processes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(LARGE), metavar="NAME", help=f"of {', '.join(LARGE)} (default: all)")
    parser.add_argument("--small", action="store_true", help="small networks and batches, as on a CPU")
    parser.add_argument("--seconds", type=float, default=3.0, help="of steps in each process (default %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures in FILE")
    parser.add_argument("--system", choices=SYSTEMS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(LARGE):
        parser.error(f"no network is called {', '.join(sorted(unknown))}; there are {', '.join(LARGE)}")
    if options.system:
        print(json.dumps(measure(options.system, (SMALL if options.small else LARGE)[options.names[0]], options.seconds)))
    else:
        compare(options)


# ---------------------------------------------------------------------- one process of each system
def measure(system: str, workload: Workload, seconds: float) -> dict[str, Any]:
    """The seconds of the first step and of one step, the last loss, and the device."""
    step, device = (torch_step if SYSTEMS[system] == "torch" else jax_step)(system, workload)
    started = time.perf_counter()
    step(0)
    first, count = time.perf_counter() - started, 0
    for i in range(1, 4):
        loss = step(i)
    started = time.perf_counter()
    while time.perf_counter() - started < seconds or not count:
        loss = step(count := count + 1)
    return {"first": first, "step": (time.perf_counter() - started) / count, "loss": float(loss), **device}


def jax_step(system: str, workload: Workload) -> tuple[Callable[[int], Any], dict[str, Any]]:
    """A step of slopes on XLA, or of JAX, that is waited for."""
    import jax

    import slopes as sl

    from . import engine_jax, engine_slopes
    jax.config.update("jax_default_matmul_precision", "highest")
    if system == "slopes":
        engine = engine_slopes.build(workload, 0, "eager")
        engine.step = sl.compile(engine.step, backend="xla")
    else:
        engine = engine_jax.build(workload, 0, "compiled")
    side = SIDES.get(jax.devices()[0].platform, 4096)
    ones = jax.numpy.ones((side, side))
    product = jax.jit(lambda x: x @ x)
    peak = best(lambda: product(ones).block_until_ready())
    return (lambda i: engine.read(engine.step(*engine.batches[i % len(engine.batches)])),
            {"device": jax.devices()[0].device_kind, "peak": 2 * side**3 / peak})


def torch_step(system: str, workload: Workload) -> tuple[Callable[[int], Any], dict[str, Any]]:
    """A step of PyTorch, eager or compiled, that is waited for."""
    import torch

    from . import engine_torch
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_default_device(device)
    engine = engine_torch.build(workload, torch.get_num_threads(), "compile" if system == "torch.compile" else "eager")
    batches = [tuple(x.to(device) for x in batch) for batch in engine.batches]
    return lambda i: engine.step(*batches[i % len(batches)]).item(), {"device": torch.cuda.get_device_name() if device == "cuda" else "cpu"}


def best(function: Callable[[], Any]) -> float:
    """The shortest of a few calls, in seconds."""
    function()
    times = []
    for _ in range(5):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


# ---------------------------------------------------------------------- all of them
def compare(options: argparse.Namespace) -> None:
    """Measure all systems that are installed, and print the table."""
    small = options.small or not has_gpu()
    systems = [name for name, library in SYSTEMS.items() if find_spec(library)]
    if left_out := [name for name in SYSTEMS if name not in systems]:
        print(f"not installed, and left out: {', '.join(left_out)}", file=sys.stderr)
    rows: dict[str, dict[str, Any]] = {}
    for name in options.names:
        rows[name] = {system: run(system, name, options.seconds, small) for system in systems}
    peak = max((figures.get("peak", 0) for row in rows.values() for figures in row.values()), default=0)
    print("\n".join(table(rows, SMALL if small else LARGE, peak)))
    if options.json:
        options.json.write_text(json.dumps({"small": small, "rows": rows}, indent=1) + "\n")


def has_gpu() -> bool:
    """Whether JAX has a device besides the CPU; asked in a process of its own, which gives it back."""
    code = "import jax; print(jax.devices()[0].platform)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout.strip() not in ("cpu", "")


def run(system: str, name: str, seconds: float, small: bool) -> dict[str, Any]:
    """The figures of one system; what went wrong where there are none."""
    command = [sys.executable, "-m", "benchmarks", "gpu", name, "--system", system, "--seconds", str(seconds), *["--small"] * small]
    print(f"{name}, {system} ...", file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"took longer than {LIMIT} s"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no word"])[-1]}
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def table(rows: dict[str, dict[str, Any]], workloads: dict[str, Workload], peak: float) -> list[str]:
    """The table in Markdown: milliseconds of a step, model FLOP utilisation, and the first step."""
    devices = sorted({figures["device"] for row in rows.values() for figures in row.values() if "device" in figures})
    lines = [f"{', '.join(devices)}: {peak / 1e12:.2f} TFLOP/s in a large product of matrices in float32", "",
             "| network | batch | system | step, ms | model FLOP utilisation | first step, s | loss |", "|---|---|---|---|---|---|---|"]
    for name, row in rows.items():
        for system, figures in row.items():
            cells = [figures["error"], "", "", ""] if "error" in figures else [
                f"{1e3 * figures['step']:.2f}", f"{workloads[name].flops / figures['step'] / peak:.1%}" if peak else "",
                f"{figures['first']:.1f}", f"{figures['loss']:.4g}"]
            lines.append(f"| {name} | {workloads[name].batch} | {system} | {' | '.join(cells)} |")
    return lines
