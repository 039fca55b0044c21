"""LLVM code, translated for a processor and put into memory to be called."""

from __future__ import annotations

import threading
from functools import lru_cache

import llvmlite.binding as llvm

from ..errors import CompileError
from ..loops.program import TARGETS, Target

_lock = threading.RLock()  # LLVM is entered by one thread at a time


# ---------------------------------------------------------------------- this machine
@lru_cache(maxsize=1)
def host() -> tuple[str, str, str]:
    """(triple, processor, features) as LLVM names them."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    return llvm.get_process_triple(), llvm.get_host_cpu_name(), ",".join(
        f"{'+' if on else '-'}{name}" for name, on in sorted(features.items()))


def target_for(triple: str, features: str) -> Target:
    """What generated code may use on a processor with these features."""
    on = {each[1:] for each in features.split(",") if each.startswith("+")}
    if triple.startswith(("aarch64", "arm64")):
        return TARGETS["neon"]
    if not triple.startswith(("x86_64", "amd64")):
        return TARGETS["plain"]
    if {"avx512f", "avx512dq", "avx512vl", "avx512bw"} <= on:
        return TARGETS["avx512"]
    return TARGETS["avx2"] if {"avx2", "fma"} <= on else TARGETS["sse"]


@lru_cache(maxsize=1)
def host_target() -> Target:
    triple, _, features = host()
    return target_for(triple, features)


# ---------------------------------------------------------------------- compiling
def object_code(text: str, triple: str, processor: str, features: str, assembly: bool = False) -> bytes | str:
    """LLVM code, verified, optimised and translated for one processor."""
    with _lock:
        host()
        try:
            module = llvm.parse_assembly(text)
            module.triple = triple
            module.verify()
            machine = llvm.Target.from_triple(triple).create_target_machine(
                cpu=processor, features=features, opt=2, reloc="pic", codemodel="default")
        except RuntimeError as error:
            raise CompileError(f"LLVM refused a program that slopes wrote: {error}", where="",
                               repair="this is a defect of slopes: please report it with the program (SLOPES_DEBUG=4 prints it)") from None
        options = llvm.create_pipeline_tuning_options(speed_level=2)
        options.loop_vectorization = options.slp_vectorization = False  # vectors are explicit already
        options.loop_unrolling = False
        passes = llvm.create_pass_builder(machine, options)
        manager = passes.getModulePassManager()
        manager.run(module, passes)
        return machine.emit_assembly(module) if assembly else machine.emit_object(module)


class Loaded:
    """Object code in memory, ready to be called."""

    def __init__(self, code: bytes) -> None:
        with _lock:
            triple, processor, features = host()
            machine = llvm.Target.from_triple(triple).create_target_machine(cpu=processor, features=features, reloc="pic")
            empty = llvm.parse_assembly("")
            empty.triple = triple
            self._engine = llvm.create_mcjit_compiler(empty, machine)
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where a function of this name begins."""
        return self._engine.get_function_address(name)
