"""What generated code may use of a processor, and the block of memory by which a running program and its callers talk."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ..costs import BROADCAST, LINE, NEON_BROADCAST, NEON_SUMS, NEON_TILE_LATENCY, QUEUES, TILE_LATENCY
from .builder import Builder

ERROR, COUNT, GENERATION, STOP, YIELD, STEP, TAKEN = range(0, 7 * LINE, LINE)  # offsets in the context; TAKEN is the first queue's
CONTEXT_BYTES = TAKEN + QUEUES * LINE


@dataclass(frozen=True)
class Target:
    """What generated code may use of a processor."""

    lanes: int  # 32-bit elements of a full vector
    registers: int  # vector registers that a tile may fill
    pause: str  # the instruction that a waiting loop gives way with
    fused: bool = True  # whether it multiplies and adds in one instruction
    masked_arithmetic: bool = False  # whether its instructions can leave lanes out
    sums: float = inf  # registers of a tile that may be sums
    broadcast: float = BROADCAST  # the price of reading one element of A
    latency: float = TILE_LATENCY  # the least that a step of k takes

    def builder(self, scalarize_budget: int = 0) -> Builder:
        """A builder of functions for this processor."""
        return Builder(self.lanes, self.fused, self.masked_arithmetic, scalarize_budget)

    @property
    def declared(self) -> list[str]:
        """What a module that pauses declares."""
        return ["declare " + self.pause.removeprefix("call ").replace("i32 1", "i32")] if self.pause else []


TARGETS = {
    "avx512": Target(16, 30, "call void @llvm.x86.sse2.pause()", masked_arithmetic=True),
    "avx2": Target(8, 16, "call void @llvm.x86.sse2.pause()"),
    "sse": Target(4, 16, "call void @llvm.x86.sse2.pause()", fused=False),
    "neon": Target(4, 30, "call void @llvm.aarch64.hint(i32 1)", sums=NEON_SUMS, broadcast=NEON_BROADCAST, latency=NEON_TILE_LATENCY),
    "plain": Target(4, 16, "", fused=False),
}
