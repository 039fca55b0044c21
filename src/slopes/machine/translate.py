"""LLVM code, translated for a processor and put into memory to be called."""

from __future__ import annotations

import _thread
import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import lru_cache, partial, wraps
from typing import Any, ParamSpec, TypeVar

import llvmlite.binding as llvm

from .. import settings
from ..errors import ArgumentError, CompileError
from ..loops.module import Module, Passes
from ..loops.target import TARGETS, Target
from ..workers import Workers
from .notice import look
from .threads import thread_count

LOOK = 0.2  # seconds between two calls of `look` by a thread that waits for a compilation
P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.RLock()  # one program is translated, loaded or disposed of at a time
_idle: dict[tuple[str, str, str, int], list[Any]] = {}  # target machines that no thread uses now
_unloaded: list[Any] = []  # libraries and engines of programs that are gone: LLVM's memory is freed by the next who has the lock
_forking: set[int] = set()  # the thread that forks at this moment, which has both locks


def begin_fork() -> None:
    """Wait until no other thread is in LLVM: its locks and its memory would stay in the child as they are at this moment."""
    _lock.acquire()
    _forking.add(_thread.get_ident())
    llvm.ffi.lib._lock.__enter__()


def end_fork() -> None:
    """Both processes go on."""
    llvm.ffi.lib._lock.__exit__(None, None, None)
    _forking.clear()
    _lock.release()


def forks_now() -> bool:
    """Whether this thread is forking: a signal handler has interrupted it, and no other thread gets LLVM's locks until it goes on."""
    return _thread.get_ident() in _forking


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=begin_fork, after_in_parent=end_fork, after_in_child=end_fork)


# ---------------------------------------------------------------------- threads in LLVM
def undisturbed(function: Callable[P, T]) -> Callable[P, T]:
    """The same function, but not in the main thread: Ctrl-C and signal handlers, which come there, would leave LLVM half done.

    Nor does the main thread ever wait there with a lock of LLVM, which a handler that compiles would need in another thread. The
    thread is started without `threading`, whose locks a signal handler may have interrupted.
    """
    @wraps(function)
    def apart(*args: P.args, **kwargs: P.kwargs) -> T:
        if threading.current_thread() is not threading.main_thread() or forks_now():
            return function(*args, **kwargs)
        done, answer = _thread.allocate_lock(), Future[T]()
        done.acquire()
        work = partial(answered, answer, done, partial(function, *args, **kwargs))
        try:
            _thread.start_new_thread(work, ())
        except RuntimeError:  # the system gives no more threads, or the interpreter ends
            work()
        try:
            while not done.acquire(timeout=LOOK):
                look()
        except BaseException:
            done.acquire()  # what has begun comes to its end first
            raise
        return answer.result()
    return apart


def answered(answer: Future[T], done: _thread.LockType, function: Callable[[], T]) -> None:
    """Compute the answer, then open the lock."""
    try:
        answer.set_result(function())
    except BaseException as error:
        answer.set_exception(error)
    finally:
        done.release()


# ---------------------------------------------------------------------- this machine
LEVELS = {  # LLVM's processor and features for an instruction set: what all processors with it have
    "avx512": ("x86-64-v4", "+avx512f,+avx512dq,+avx512vl,+avx512bw,+avx2,+fma"),
    "avx2": ("x86-64-v3", "+avx2,+fma"),
    "sse": ("x86-64-v2", "+sse4.2"),
}


@lru_cache(maxsize=1)
@undisturbed
def host() -> tuple[str, str, str]:
    """(triple, processor, features) to compile for, as LLVM names them: of this machine, or what SLOPES_CPU names.

    ArgumentError for what this machine cannot run. `object_code` compiles for any processor.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple, features = llvm.get_process_triple(), llvm.get_host_cpu_features()
    own = ",".join(f"{'+' if on else '-'}{name}" for name, on in sorted(features.items()))
    named = settings.named_cpu()
    return (triple, *(own_cpu(own) if named is None else lesser_cpu(instruction_set(triple, own), own, *named)))


def own_cpu(features: str) -> tuple[str, str]:
    """LLVM's name and features of this processor."""
    return llvm.get_host_cpu_name(), features


def lesser_cpu(best: str, own: str, named: str, processor: str | None) -> tuple[str, str]:
    """LLVM's name and features of an instruction set, or of a processor, that this machine runs.

    The features that this machine lacks are taken out: a level, or a processor, has some beside its vectors, which a container or an
    emulator may hide.
    """
    sets = settings.INSTRUCTION_SETS
    if best not in sets or sets.index(named) < sets.index(best):
        raise ArgumentError(f"SLOPES_CPU is {processor or named}, which this processor cannot run", where="",
                            why=f"it needs {named}, and the best instruction set here is {best}",
                            repair="unset SLOPES_CPU" + (f", or set it to {best}" if best in sets else ""))
    if named == best and processor is None:
        return own_cpu(own)
    level, features = LEVELS[named]
    lacking = [feature for feature in own.split(",") if feature.startswith("-")]
    return processor or level, ",".join([features, *lacking])


def instruction_set(triple: str, features: str) -> str:
    """The best instruction set that slopes knows on a processor with these features."""
    on = {feature[1:] for feature in features.split(",") if feature.startswith("+")}
    if triple.startswith(("aarch64", "arm64")):
        return "neon"
    if not triple.startswith(("x86_64", "amd64")):
        return "plain"
    if {"avx512f", "avx512dq", "avx512vl", "avx512bw"} <= on:
        return "avx512"
    return "avx2" if {"avx2", "fma"} <= on else "sse"


def target_for(triple: str, features: str) -> Target:
    """What generated code may use on a processor with these features."""
    return TARGETS[instruction_set(triple, features)]


@lru_cache(maxsize=1)
def host_target() -> Target:
    triple, _, features = host()
    return target_for(triple, features)


# ---------------------------------------------------------------------- compiling
@undisturbed
def object_code(text: str, triple: str, processor: str, features: str, assembly: bool = False,
                passes: Passes = Passes.ALL) -> bytes | str:
    """LLVM code, verified, optimised and translated for one processor."""
    with _lock:
        host()
        module = parsed(text, triple)
        with target_machine(triple, processor, features) as machine:
            RUN_PASSES[passes](machine, module)
            return machine.emit_assembly(module) if assembly else emitted(machine, module)


@undisturbed
def object_codes(modules: Sequence[Module], triple: str, processor: str, features: str,
                 done: Callable[[], None] = lambda: None) -> list[bytes]:
    """The object code of several modules, by several threads; `done` is called after each of them."""
    def translated(module: Module) -> bytes:
        parsed_module = parsed(module.text, triple)
        with target_machine(triple, processor, features, 0 if module.passes is Passes.NONE else 2) as machine:
            RUN_PASSES[module.passes](machine, parsed_module)
            code = emitted(machine, parsed_module)
        done()
        return code

    with _lock:
        host()
        if len(modules) <= 1 or forks_now():
            return [translated(module) for module in modules]
        longest_first = sorted(modules, key=lambda module: -len(module.functions))
        with Workers(min(len(modules), thread_count())) as pool:
            codes = dict(zip(longest_first, pool.map(translated, longest_first)))
    return [codes[module] for module in modules]


def parsed(text: str, triple: str) -> Any:
    """The module, verified, in a context of its own."""
    try:
        module = llvm.parse_assembly(text, llvm.create_context())
        module.triple = triple
        module.verify()
    except RuntimeError as error:
        raise refused(str(error)) from None
    return module


@contextmanager
def target_machine(triple: str, processor: str, features: str, level: int = 2) -> Iterator[Any]:
    """LLVM's target machine for a processor, for this thread alone while it translates.

    It is kept for the next translation: reading the features, which a machine does twice, takes longer than a small function.
    """
    idle = _idle.setdefault((triple, processor, features, level), [])
    try:
        machine = idle.pop()
    except IndexError:
        machine = new_target_machine(triple, processor, features, level)
    yield machine
    idle.append(machine)


def new_target_machine(triple: str, processor: str, features: str, level: int) -> Any:
    try:
        return llvm.Target.from_triple(triple).create_target_machine(
            cpu=processor, features=features, opt=level, reloc="pic", codemodel="default")
    except RuntimeError as error:
        raise refused(str(error)) from None


def run_all_passes(machine: Any, module: Any) -> None:
    """LLVM's usual passes, but for those whose work is done already."""
    options = llvm.create_pipeline_tuning_options(speed_level=1)  # level 2 takes a third longer and gained nothing
    options.loop_vectorization = options.slp_vectorization = False  # vectors are explicit already
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    passes = builder.getModulePassManager()
    try:
        unlocked("LLVMPY_RunNewModulePassManager")(passes, module, builder)
    finally:
        llvm.ffi.lib.LLVMPY_DisposeNewModulePassManger(passes)  # llvmlite 0.50 does not: 60 KB stayed for each compilation
        passes.detach()


def run_few_passes(machine: Any, module: Any) -> None:
    """A fifth of the work of all passes: they leave the loops over k of a product as these few do."""
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1))
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    passes.add_loop_rotate_pass()
    try:
        for function in module.functions:
            if not function.is_declaration:
                unlocked("LLVMPY_RunNewFunctionPassManager")(passes, function, builder)
    finally:
        llvm.ffi.lib.LLVMPY_DisposeNewFunctionPassManger(passes)  # as above
        passes.detach()


RUN_PASSES: dict[Passes, Callable[[Any, Any], None]] = {
    Passes.NONE: lambda machine, module: None, Passes.FEW: run_few_passes, Passes.ALL: run_all_passes}


def refused(error: str) -> CompileError:
    return CompileError(f"LLVM refused a program that slopes wrote: {error}", where="",
                        repair="this is a defect of slopes: please report it with the program (SLOPES_DEBUG=4 prints it)")


def emitted(machine: Any, module: Any) -> bytes:
    """The object code of a module."""
    library, problem = llvm.ffi.lib, ctypes.c_char_p()
    memory = unlocked("LLVMPY_TargetMachineEmitToMemory")(machine, module, 1, ctypes.byref(problem))
    if not memory:
        raise refused((problem.value or b"").decode(errors="replace"))
    try:
        return ctypes.string_at(library.LLVMPY_GetBufferStart(memory), library.LLVMPY_GetBufferSize(memory))
    finally:
        library.LLVMPY_DisposeMemoryBuffer(memory)


@lru_cache(maxsize=8)
def unlocked(name: str) -> Any:
    """One of llvmlite's native functions without the lock under which llvmlite runs all of them.

    LLVM itself asks for no more than that threads work on modules of different contexts.
    """
    usual = getattr(llvm.ffi.lib, name)
    function = getattr(ctypes.CDLL(llvm.ffi.lib._name), name)
    function.argtypes, function.restype = usual.argtypes, usual.restype
    return function


class Loaded:
    """Object code in memory, all parts of it, ready to be called."""

    @undisturbed
    def __init__(self, codes: Sequence[bytes], names: Sequence[str] = ("program",), symbols: Mapping[str, int] | None = None) -> None:
        """Load the code and find the functions of these names: also under the lock, and where no signal handler comes between.

        symbols  the addresses of functions that the code calls
        """
        with _lock:
            _unloaded.clear()
            library = llvm.JITLibraryBuilder().add_current_process()
            for code in codes:
                library.add_object_img(code)
            for name in names:
                library.export_symbol(name)
            for name, address in (symbols or {}).items():
                library.import_symbol(name, address)
            # JITLink lays all parts side by side; MCJIT asks the system for each, and aborts where two are 2 GiB apart
            with target_machine(*host()) as machine:
                self._engine = llvm.create_lljit_compiler(machine, use_jit_link=True)
            self._library = library.link(self._engine, "slopes")
            self._addresses = {name: self._library[name] for name in names}
        weakref.finalize(self, _unloaded.extend, (self._library, self._engine)).atexit = False

    def address(self, name: str) -> int:
        """Where a function begins that was named when the code was loaded."""
        return self._addresses[name]

    def program(self) -> Callable[..., None]:
        """The function `program`, with four pointers and three numbers, as Python calls it; this object must stay alive."""
        return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, *[ctypes.c_int64] * 3)(self.address("program"))
