"""Worker processes that train with settings which they get one after another, and report each epoch to the search."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol

from ..errors import NonFiniteError, SlopesError
from ..machine.native import observe_programs
from .trials import Trial

EPOCH, DONE, FAILED = "epoch", "done", "failed"
Report = Callable[[float], bool]  # takes the figure of an epoch, and answers whether the training should end


class Task(Protocol):
    """A training with some settings: a module-level class, so that another process can have it, too."""

    def __call__(self, settings: dict[str, Any], report: Report) -> float:
        """The figure of a training with these settings."""


class InProcess:
    """Trains in this process: `train` of a search."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(self, trial: Trial) -> float:
        """The figure of a trial."""
        return self.task(dict(trial), trial.report)


class Workers:
    """Trains in other processes: `train` of a search of as many threads. To be closed in the end."""

    def __init__(self, task: Task, jobs: int, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.idle: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        self.processes = []
        self.cancelled = False
        for _ in range(jobs):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, task, threads), daemon=True)
            process.start()
            theirs.close()  # so that the end of the process is seen
            self.processes.append(process)
            self.idle.put(ours)

    def __call__(self, trial: Trial) -> float:
        """The figure of a trial, by a process that has nothing to do."""
        worker = self.idle.get()
        try:
            worker.send(dict(trial))
            while (message := worker.recv())[0] == EPOCH:
                worker.send(trial.report(message[1]))
        except (EOFError, OSError):
            if self.cancelled:
                raise KeyboardInterrupt from None
            raise ended() from None
        finally:
            self.idle.put(worker)
        trial.programs.update(message[2])
        if message[0] == FAILED:
            raise message[1]
        return float(message[1])

    def cancel(self) -> None:
        """End all processes at once; their trainings count as interrupted."""
        self.cancelled = True
        self.close()

    def close(self) -> None:
        """End all processes."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join()


def ended() -> SlopesError:
    """The error for a process that is no more."""
    return SlopesError("a worker process has ended", why="it was killed, perhaps because the memory was full",
                       repair="train fewer at a time: --jobs; what was finished is kept")


def serve(connection: Connection, task: Task, threads: int) -> None:
    """The life of a worker: train with the settings that come, until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes of a terminal; the search ends its workers itself
    os.environ["SLOPES_THREADS"] = str(threads)
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(answer(task, connection.recv(), connection))


def answer(task: Task, settings: dict[str, Any], connection: Connection) -> tuple[str, Any, dict[str, bool]]:
    """What became of a training: its figure or an error, and the programs that it needed."""

    def report(figure: float) -> bool:
        try:
            connection.send((EPOCH, figure))
            return bool(connection.recv())
        except (EOFError, OSError):
            raise SystemExit from None  # the search is no more

    programs: dict[str, bool] = {}
    try:
        with observe_programs(programs):
            return DONE, task(settings, report), programs
    except Exception as error:
        return FAILED, portable(error), programs


def portable(error: Exception) -> SlopesError:
    """An error that another process can raise."""
    if not isinstance(error, SlopesError):
        return SlopesError(f"{type(error).__name__}: {error}", why="".join(traceback.format_exception(error)), where="")
    kind = NonFiniteError if isinstance(error, NonFiniteError) else SlopesError
    return kind(error.what, why=error.why, repair=error.repair, where=error.where)
