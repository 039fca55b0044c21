"""Trainings that are killed and continued end with the same bytes as those that are not: `python tests/kills.py --kills 100`.

A trial trains one of several kinds in a run folder, in a process that is killed with SIGKILL: inside the writing of a checkpoint, in
the middle of an epoch, in a validation, in the first compilation, or at a random moment. The folder must be readable then. Another
process, with another number of threads, continues the run to its end. Weights, history and state (all but measured times) must be
those of an undisturbed run, byte for byte. Further trials: SIGTERM during a checkpoint, a full disk, a read-only folder.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import resumed

from slopes.errors import SaveError
from slopes.experiments import checkpoints as experiment_checkpoints
from slopes.experiments import run as experiment_run
from slopes.experiments.catalog import find_recipe
from slopes.files import tensorfile
from slopes.machine import translate
from slopes.train import RunFolder, checkpoints, runs
from slopes.train.training import Training
from slopes.train.validation import Validation

RECIPES: dict[str, dict[str, Any]] = {"digits": {"epochs": 2}, "approximate": {"steps": 60}}
KINDS = (*resumed.CASES, *RECIPES)
VALIDATED = ("mlp", "windows", "everything", "digits")  # have validation data
SHARES = {"checkpoint": 0.26, "epoch": 0.42, "validation": 0.12, "compile": 0.07, "random": 0.13}  # of the kills, by their points
WRITES = ("fsync", "replace", "rename", "mkdir", "rmdir", "unlink", "open")  # steps of a checkpoint, before each of which it is killed
DELAYS = 0.0, 2e-4, 1e-3, 5e-3  # seconds from the beginning of a call to the kill in it
THREADS = 3
BLOCK = 4096  # bytes that a file takes at least
KILLED, TERMINATED, FAILED = -signal.SIGKILL, 143, 1


class Trial(NamedTuple):
    """Which training is disturbed, at which of the occasions at a point, and by which signal; without a point it is not."""

    kind: str
    point: str = ""
    occasion: int = 0
    signal_number: int = signal.SIGKILL


# In the process that trains


def train(kind: str, folder: Path) -> None:
    """Begin or continue the training of this kind in the folder, with a checkpoint after every call."""
    checkpoints.SHARE = experiment_checkpoints.EVERY_SECONDS = 0
    if kind in resumed.CASES:
        RunFolder(folder, every=0).train(resumed.make(kind))
        return
    saved = runs.load_run(folder) if runs.holds_run(folder) else None
    if saved is None:
        experiment_run.run(find_recipe(kind), RECIPES[kind], folder, seed=3, progress=False)
    elif saved.interrupted:
        experiment_run.resume(saved, progress=False)


class Occasions:
    """Counts the occasions at every point, and sends the signal of a trial at one of them; before, the parent learns that it came."""

    def __init__(self, trial: Trial, pipe: int) -> None:
        self.trial, self.pipe, self.saving = trial, pipe, 0
        self.counts: Counter[str] = Counter()

    def comes(self, point: str) -> bool:
        """One more occasion: whether it is the one."""
        self.counts[point] += 1
        return point == self.trial.point and self.counts[point] == self.trial.occasion + 1

    def strike(self, delay: float = 0.0) -> None:
        """Send the signal, after a delay from another thread."""
        os.write(self.pipe, b"hit")
        if delay:
            threading.Timer(delay, os.kill, (os.getpid(), self.trial.signal_number)).start()
        else:
            os.kill(os.getpid(), self.trial.signal_number)

    def within(self, point: str, owner: Any, name: str, counts: Callable[..., bool] = lambda *args: True) -> None:
        """Let the calls of a function be occasions: the signal comes before one, in the middle of it, or, at the latest, at its end."""
        function = getattr(owner, name)

        def struck(*args: Any, **options: Any) -> Any:
            if not (counts(*args) and self.comes(point)):
                return function(*args, **options)
            self.strike(DELAYS[self.trial.occasion % len(DELAYS)])
            results = function(*args, **options)
            self.strike()
            return results

        setattr(owner, name, struck)

    def surround(self, owner: Any, name: str) -> None:
        """Let a function be the writing of a checkpoint."""
        function = getattr(owner, name)

        def surrounded(*args: Any, **options: Any) -> Any:
            self.saving += 1
            try:
                return function(*args, **options)
            finally:
                self.saving -= 1

        setattr(owner, name, surrounded)

    def precede(self, owner: Any, name: str) -> None:
        """Let the calls of a function be occasions where they are part of the writing of a checkpoint."""
        function = getattr(owner, name)

        def preceded(*args: Any, **options: Any) -> Any:
            if self.saving and self.comes("checkpoint"):
                self.strike()
            return function(*args, **options)

        setattr(owner, name, preceded)

    def watch(self) -> None:
        """Let everything count that is an occasion: in an epoch those native calls that are not its first."""
        for owner, name in ((checkpoints.Checkpoints, "write"), (RunFolder, "finish"), (experiment_run, "save")):
            self.surround(owner, name)
        for owner, name in (*((os, name) for name in WRITES), (tensorfile, "little_endian")):  # between the arrays of a file
            self.precede(owner, name)
        self.within("epoch", Training, "call", lambda training, limit: training.position.step > 0)
        self.within("validation", Validation, "run", lambda validation, average: bool(validation.evaluators))
        for name in ("parsed", "emitted"):
            self.within("compile", translate, name)


def work(trial: Trial, folder: Path, threads: int, cache: Path, pipe: int) -> None:
    """What the child does; its last words are how many occasions there were."""
    os.environ.update(SLOPES_THREADS=str(threads), SLOPES_CACHE=str(cache))
    occasions = Occasions(trial, pipe)
    occasions.watch()
    train(trial.kind, folder)
    os.write(pipe, "".join(f" {point}={count}" for point, count in occasions.counts.items()).encode())


# In the process that kills


class Ending(NamedTuple):
    """How a child ended: its exit code (negative: the signal), whether it came to the occasion, and how many there were."""

    code: int
    hit: bool
    occasions: dict[str, int]
    seconds: float


def in_child(trial: Trial, folder: Path, threads: int, cache: Path, seconds: float | None = None) -> Ending:
    """Train in a forked process, to its end or to a kill after some seconds."""
    started = time.monotonic()
    reading, pipe = os.pipe()
    child = os.fork()
    if not child:
        code = FAILED
        try:
            os.close(reading)
            work(trial, folder, threads, cache, pipe)
            code = 0
        except SystemExit as stop:
            code = int(str(stop.code))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(pipe)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as file:
        hit, *counts = file.read().split(" ")
    code, pairs = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), (count.split("=") for count in counts)
    return Ending(code, hit.startswith("hit"), {point: int(count) for point, count in pairs}, time.monotonic() - started)


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes that must be equal: the files of weights and histories, and the arrays of the state but for times."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".jsonl" or path.name == runs.WEIGHTS}
    return files | {f"{name}/{path}": array.tobytes() for name, network in runs.load_run(folder).networks.items()
                    for path, array in network.state.items() if not path.endswith(resumed.CLOCKS)}


class Harness:
    """Runs trials in a folder; the ends of undisturbed runs are those to compare with."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.draw, self.count = root, random.Random(seed), itertools.count()
        self.ends: dict[str, dict[str, bytes]] = {}
        self.wholes: dict[str, Ending] = {}
        self.sizes: dict[str, int] = {}
        self.hits: Counter[str] = Counter()

    def folder(self) -> Path:
        """A new folder."""
        return self.root / f"{next(self.count)}"

    def cache(self, point: str) -> Path:
        """The programs of all trials, or a cache of its own where the first compilation is disturbed."""
        return self.folder() if point == "compile" else self.root / "cache"

    def undisturbed(self, kind: str) -> Ending:
        """Train without a kill, keep the end, and count the occasions."""
        if kind not in self.wholes:
            folder = self.folder()
            self.wholes[kind] = in_child(Trial(kind), folder, 1, self.cache(""))
            assert self.wholes[kind].code == 0, f"{kind} failed without a kill"
            self.ends[kind], self.sizes[kind] = contents(folder), sum(path.stat().st_size // BLOCK + 1 for path in folder.iterdir()) * BLOCK
        return self.wholes[kind]

    def kill(self, kind: str, point: str) -> None:
        """One kill, and the end of the run that was continued."""
        whole, folder, cache = self.undisturbed(kind), self.folder(), self.cache(point)
        if point != "compile" and not whole.occasions.get(point):
            point = "random"  # such as the epochs of a training by another method than gradients
        trial = Trial(kind, point, self.draw.randrange(whole.occasions.get(point, 1)))
        seconds = self.draw.uniform(0, whole.seconds) if point == "random" else None
        ending = in_child(trial, folder, self.draw.randint(1, THREADS), cache, seconds)
        if ending.code == 0:  # it came to its end before
            self.wholes[kind] = whole._replace(seconds=min(whole.seconds, ending.seconds))
            self.kill(kind, point)
            return
        assert ending.code == KILLED, f"{trial} ended with {ending.code}"
        self.hits[point] += ending.hit or point == "random"
        self.finish(trial, folder, cache)

    def finish(self, trial: Trial, folder: Path, cache: Path) -> None:
        """Continue the run in another process, and compare its end."""
        if runs.holds_run(folder):
            runs.load_run(folder)  # readable, whenever the kill came
        ending = in_child(Trial(trial.kind), folder, self.draw.randint(1, THREADS), cache)
        assert ending.code == 0, f"{trial} cannot be continued"
        actual, expected = contents(folder), self.ends[trial.kind]
        different = sorted(name for name in actual.keys() | expected.keys() if actual.get(name) != expected.get(name))
        assert not different, f"{trial}: other bytes in {', '.join(different)}"
        assert not [path for path in folder.iterdir() if path.name.startswith(".slopes")], f"{trial} leaves something behind"
        shutil.rmtree(folder)

    def terminate(self, kind: str) -> None:
        """SIGTERM inside the writing of a checkpoint: it is completed, and the process ends."""
        occasions, folder, cache = self.undisturbed(kind).occasions["checkpoint"], self.folder(), self.cache("")
        trial = Trial(kind, "checkpoint", self.draw.randrange(occasions // 2), signal.SIGTERM)
        ending = in_child(trial, folder, self.draw.randint(1, THREADS), cache)
        assert ending.code == TERMINATED, f"{trial} ended with {ending.code}"
        assert runs.load_run(folder).interrupted
        self.hits["SIGTERM"] += ending.hit
        self.finish(trial, folder, cache)

    def fill_disk(self, kind: str) -> None:
        """A disk that is full after a few checkpoints: the training goes on, and the folder stays readable and can be continued."""
        self.undisturbed(kind)
        folder, other = self.folder(), self.folder()
        with small_disk(folder, self.sizes[kind] * 3 // 2):
            ending = in_child(Trial(kind), folder, 1, self.cache(""))
            assert ending.code == 0, f"{kind} ended with {ending.code} on a full disk"
            assert runs.load_run(folder).interrupted, "the last checkpoint that fitted counts"
            shutil.copytree(folder, other)
        self.hits["full disk"] += 1
        self.finish(Trial(kind, "full disk"), other, self.cache(""))

    def read_only(self, kind: str) -> None:
        """A folder that cannot be written: refused before anything is trained."""
        folder = self.folder()
        with small_disk(folder, 1 << 20):
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
            with contextlib.suppress(SaveError):
                train(kind, folder)
                raise AssertionError("a read-only folder was not refused")
            subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        self.hits["read-only folder"] += 1


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A file system in memory of so many bytes, mounted at the folder."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def may_mount() -> bool:
    """Whether this process may mount file systems."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder) / "disk", 1 << 16):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


def plan(kills: int, kinds: list[str]) -> Iterator[tuple[str, str]]:
    """(kind, point) of every kill: each point its share, over all kinds in turn."""
    for point, share in SHARES.items():
        able = [kind for kind in kinds if kind in VALIDATED] if point == "validation" else kinds
        yield from itertools.islice(((kind, point) for kind in itertools.cycle(able)), max(1, round(share * kills)) if able else 0)


def main() -> None:
    """Carry out the trials and print what was hit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slopes-kills-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checkpoints that could not be written on the full disk
        tempfile.tempdir = folder  # for the run that does not fit there
        harness = Harness(Path(folder), args.seed)
        kills = list(plan(args.kills, args.kinds))
        for kind, point in kills:
            harness.kill(kind, point)
            print(f"{kind}: killed at {point}, continued, same bytes", flush=True)
        for kind in args.kinds[: max(1, len(kills) // 12)]:
            harness.terminate(kind)
        if may_mount():
            harness.fill_disk(args.kinds[0])
            harness.read_only(args.kinds[0])
    print(f"{len(kills)} trials of {len(args.kinds)} kinds, all ends the same; hit: " +
          ", ".join(f"{name} {count}" for name, count in harness.hits.items()))


if __name__ == "__main__":
    main()
