"""Many programs, checked by processes that may die: what each of them says is collected, and the dead are replaced."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
RECYCLED = 200  # programs of one process: LLVM keeps some memory of each
PATIENCE = 300  # seconds without a word, after which a process hangs


@dataclass
class Difference:
    """A program that compiled code computes differently, or on which it dies."""

    seed: int
    index: int
    detail: str
    text: str

    def __str__(self) -> str:
        again = f"python -m tests.fuzz --seed {self.seed} --only {self.index}"
        return f"# {again}\n# {self.detail}\n{self.text}"


@dataclass
class Summary:
    """What was checked."""

    counts: Counter[str] = field(default_factory=Counter)  # by status
    rules: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def programs(self) -> int:
        return sum(self.counts.values())

    def __str__(self) -> str:
        equal, refused, different = (self.counts[status] for status in ("equal", "refused", "different"))
        return f"{self.programs} programs in {self.seconds:.0f} s: {equal} equal, {refused} refused by both, {different} different"


class Worker:
    """A process that checks every `step`-th program, beginning with number `first`."""

    def __init__(self, seed: int, first: int, end: int, step: int, drawing: Sequence[Any], heard: queue.Queue) -> None:
        self.index = first  # of the program that comes next
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed by `end`)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)])}
        last = min(end, first + step * RECYCLED)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fuzz.worker", *map(str, (seed, first, last, step, *drawing))], stdout=subprocess.PIPE,
            stderr=self.errors, text=True, env=environment)
        self.listener = threading.Thread(target=self.listen, args=(heard,), daemon=True)
        self.listener.start()

    def listen(self, heard: queue.Queue) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            heard.put((self, json.loads(line)))
        self.process.wait()
        heard.put((self, None))

    def end(self) -> None:
        """End the process, if it has not ended, and let its files go."""
        self.process.kill()
        self.listener.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.errors.close()

    def last_words(self) -> tuple[str, str]:
        """The program that it checked when it died, and its errors."""
        self.errors.seek(0)
        text = self.errors.read().rpartition("\0")[2]
        program, _, errors = text.partition('sep="\\n")\n')
        return program + 'sep="\\n")\n', errors.strip()


def run(seed: int, first: int = 0, count: int | None = None, seconds: float = float("inf"), jobs: int = 1, special: float = 0.1,
        rule: str = "", tell: Callable[[Summary], Any] = lambda summary: None) -> Summary:
    """Check programs `first`, `first` + 1, ... of a seed: so many, or for so long. `special` and `rule` are those of `draw`."""
    return Campaign(seed, first, sys.maxsize if count is None else first + count, jobs, (special, rule), tell).run(seconds)


class Campaign:
    """The processes, and what they have found."""

    def __init__(self, seed: int, first: int, end: int, jobs: int, drawing: Sequence[Any], tell: Callable[[Summary], Any]) -> None:
        self.seed, self.end, self.step, self.drawing, self.tell = seed, end, jobs, drawing, tell
        self.summary, self.heard = Summary(), queue.Queue()
        self.workers: set[Worker] = set()
        for number in range(jobs):
            self.start(first + number)

    def start(self, index: int) -> None:
        if index < self.end:
            self.workers.add(Worker(self.seed, index, self.end, self.step, self.drawing, self.heard))

    def run(self, seconds: float) -> Summary:
        begin = time.monotonic()
        try:
            while self.workers and time.monotonic() - begin < seconds:
                self.listen(min(PATIENCE, begin + seconds - time.monotonic()))
                self.summary.seconds = time.monotonic() - begin
                self.tell(self.summary)
        finally:
            for worker in self.workers:
                worker.end()
        return self.summary

    def listen(self, patience: float) -> None:
        try:
            worker, message = self.heard.get(timeout=max(patience, 0.01))
        except queue.Empty:
            if patience == PATIENCE:
                for worker in self.workers:
                    worker.process.kill()
            return
        if message is None:
            self.ended(worker)
        elif "status" in message:
            worker.index = message["index"] + self.step
            self.note(message["index"], message["status"], message["detail"], message["text"], message["rules"])

    def ended(self, worker: Worker) -> None:
        """A process has done its share, or died on a program."""
        self.workers.discard(worker)
        code, next_index = worker.process.returncode, worker.index
        if code:
            text, errors = worker.last_words()
            self.note(next_index, "different", f"the process ended with status {code}: {errors[-2000:]}", text, [])
            next_index += self.step
        worker.end()
        self.start(next_index)

    def note(self, index: int, status: str, detail: str, text: str, rules: list[str]) -> None:
        self.summary.counts[status] += 1
        self.summary.rules.update(rules)
        if status == "different":
            self.summary.differences.append(Difference(self.seed, index, detail.replace("\n", "\n# "), text))
