"""What XLA says of a compiled step, and what follows for its time on a device, and for the batch that fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..xla.collectives import Collective, collectives_of
from .devices import Device

RING = {"all-reduce": 2.0, "all-gather": 1.0, "reduce-scatter": 1.0, "all-to-all": 1.0}  # times (n - 1) / n of the bytes


@dataclass(frozen=True)
class StepAnalysis:
    """One step on one device, as XLA's analysis of the compiled program has it.

    batch        examples of the whole batch
    flops        operations
    accessed     bytes read and written in memory
    arguments    bytes of parameters, optimizer state and the device's part of the batch; temporary: of everything between; results: of
                 what takes no argument's memory
    collectives  what the devices send each other
    """

    batch: int
    flops: float
    accessed: float
    arguments: int
    temporary: int
    results: int
    collectives: tuple[Collective, ...]

    @property
    def memory(self) -> int:
        """The bytes that a device needs."""
        return self.arguments + self.temporary + self.results


def analyse(compiled: Any, batch: int) -> StepAnalysis:
    """XLA's analysis of a compiled step."""
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    cost = cost[0] if isinstance(cost, list) else cost
    return StepAnalysis(batch, float(cost.get("flops", 0)), float(cost.get("bytes accessed", 0)), memory.argument_size_in_bytes,
                        memory.temp_size_in_bytes, memory.output_size_in_bytes - memory.alias_size_in_bytes,
                        tuple(collectives_of(compiled.as_text())))


@dataclass(frozen=True)
class StepTime:
    """The seconds of a step: of its operations, its memory traffic and its collectives.

    Operations and memory traffic overlap; collectives are counted as if they did not, so that the time is an upper bound in this.
    """

    computing: float
    reading: float
    sending: float

    @property
    def seconds(self) -> float:
        """The time of a step."""
        return max(self.computing, self.reading) + self.sending

    @property
    def bound(self) -> str:
        """What takes longest."""
        times = {"operations": self.computing, "memory traffic": self.reading, "collectives": self.sending}
        return max(times, key=lambda name: times[name])


def step_time(step: StepAnalysis, device: Device) -> StepTime:
    """The time of a step at the device's best speed."""
    sending = sum(sent_bytes(item) for item in step.collectives) / device.link
    return StepTime(step.flops / device.flops, step.accessed / device.bandwidth, sending)


def sent_bytes(item: Collective) -> float:
    """The bytes that each device sends for a collective, in a ring.

    >>> sent_bytes(Collective("all-reduce", 1000, (), 4)), sent_bytes(Collective("all-gather", 1000, (), 4))
    (1500.0, 750.0)
    """
    return item.bytes * RING.get(item.kind, 1.0) * (1 - 1 / item.devices if item.devices and item.kind in RING else 1.0)


def largest_batch(steps: Sequence[StepAnalysis], memory: float, parts: int) -> int:
    """The largest batch that fits into the memory of each device, by two steps of different batches; 0: none does.

    >>> step = lambda batch, size: StepAnalysis(batch, 0, 0, size, 0, 0, ())
    >>> largest_batch([step(8, 180), step(16, 260)], 1000, 8)
    88
    """
    small, large = sorted(steps, key=lambda step: step.batch)
    slope = (large.memory - small.memory) / (large.batch - small.batch)
    if slope <= 0:
        return small.batch if small.memory <= memory else 0
    return max(0, math.floor((memory - small.memory) / slope + small.batch) // parts * parts)
