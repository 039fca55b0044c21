"""Run the benchmarks: `python -m benchmarks [NAME...]` for steps, `python -m benchmarks COMMAND` for more; `--help` says the rest."""

from __future__ import annotations

import argparse
import sys
import textwrap
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import accuracy, calibrate, contention, gpu, measure, memory, report, start
from .arm import command as arm
from .figures import Figure
from .workloads import WORKLOADS, chosen

EXAMPLES = """\
commands (each with --help):
  python -m benchmarks [NAME...]      steps of training and inference beside every peer that is installed
  python -m benchmarks start          importing, and from the start of a process to the first step
  python -m benchmarks memory         the most memory that training needs
  python -m benchmarks contention     a step beside a busy process, and in one process with PyTorch
  python -m benchmarks accuracy       from the start of a process to 99% on MNIST's test set (data from SLOPES_DATA)
  python -m benchmarks all            all of these, one after the other: about an hour
  python -m benchmarks calibrate      constants of the compiler's cost model, measured here beside their values (seconds)
  python -m benchmarks gpu            steps on a GPU: slopes on XLA beside JAX and PyTorch; small form without one
  python -m benchmarks table FILE...  the tables from results that --json kept, as Markdown
  python -m benchmarks emulate        code for 64-bit ARM, run under emulation and compared with eager evaluation
  python -m benchmarks predict        what share of their peak ARM processors can reach, by counting instructions

examples:
  python -m benchmarks                                      all workloads
  python -m benchmarks lenet gpt --rounds 21                lenet-sgd, lenet-adam, gpt and gpt-long, more rounds
  python -m benchmarks infer-lenet-1 --peers onnx,eager     beside onnxruntime and PyTorch as it is only
  python -m benchmarks gpt2 --rounds 3                      12 layers of width 768: minutes, and therefore only when it is named
  python -m benchmarks memory gpt2 --rounds 1               the memory that it needs beside PyTorch's
  python -m benchmarks lenet --cpu x86-64-v3                as on a machine with AVX2 only
  python -m benchmarks all --json benchmarks/results-avx512.json   everything, kept in a file
  python -m benchmarks table benchmarks/results-*.json --into README.md docs/performance.md
"""

Results = dict[str, Any]


def say(text: str) -> None:
    """Progress, beside the table."""
    print(text, file=sys.stderr, flush=True)


# What is run

def steps(options: argparse.Namespace) -> Results:
    """The rows of the chosen workloads; each is said and kept as soon as it is there."""
    wanted, rows, began = chosen(getattr(options, "names", [])), {}, time.perf_counter()
    peers = [measure.PEERS[each] for each in options.peers]
    if missing := [each.name for each in peers if not each.installed]:
        say(f"not installed, and left out: {', '.join(missing)} (pip install 'slopes[bench]')")
    peak = measure.peak(options.threads)
    how = measure.Options(max(1, options.rounds), options.seconds, options.threads, options.peers, options.warm_cache)
    for number, workload in enumerate(wanted, 1):
        say(f"[{number}/{len(wanted)}, {time.perf_counter() - began:.0f} s] {workload.name} ...")
        rows[workload.name] = measure.measure(workload, how) | {"peak": peak}
        say(f"    {report.line(rows[workload.name])}")
        keep(options, {"rows": {workload.name: rows[workload.name]}})
    return {"rows": rows}


def figures(options: argparse.Namespace, found: Iterable[tuple[str, Figure]]) -> Results:
    """Figures, each said and kept as soon as it is there."""
    kept = {}
    for name, figure in found:
        kept[name] = figure
        say("    " + "  ".join(filter(None, report.figure_cells(name, figure))))
        keep(options, {"figures": {name: figure}})
    return {"figures": kept}


def starting(options: argparse.Namespace) -> Results:
    return figures(options, start.measure(options.rounds, options.threads))


def remembering(options: argparse.Namespace) -> Results:
    return figures(options, memory.measure(known(options), options.rounds, options.threads))


def disturbing(options: argparse.Namespace) -> Results:
    return figures(options, contention.measure(known(options), options.rounds, options.seconds, options.threads))


def learning(options: argparse.Namespace) -> Results:
    return figures(options, accuracy.measure(range(options.seeds), options.threads))


def known(options: argparse.Namespace) -> list[str]:
    """The names of the workloads that were asked for; none: those that the command has by itself."""
    return [each.name for each in chosen(options.names)] if getattr(options, "names", None) else []


def everything(options: argparse.Namespace) -> Results:
    accuracy.files()  # the last command needs them: said now rather than in an hour
    found = steps(options)["rows"]
    beside: Results = {}
    for number, each in enumerate((starting, remembering, disturbing, learning), 1):
        say(f"[{number}/4] {each.__name__} ...")
        beside |= each(options)["figures"]
    return {"rows": found, "figures": beside}


def complete(options: argparse.Namespace, found: Results) -> Results:
    return {"schema": report.SCHEMA, "machine": measure.machine(), "threads": options.threads, "rows": {}, "figures": {}} | found


def keep(options: argparse.Namespace, found: Results) -> None:
    if options.json:
        report.save(options.json, complete(options, found))


# What can be asked for

@dataclass(frozen=True)
class Command:
    """What a command runs, what it is about, and which options it has besides --threads and --json, with their defaults."""

    run: Callable[[argparse.Namespace], Results]
    about: str
    options: dict[str, Any]


COMMANDS = {
    "": Command(steps, "Time steps of training and inference in slopes and its peers, in alternating rounds.",
                {"names": "all", "rounds": 11, "seconds": 0.5, "peers": True}),
    "start": Command(starting, "Time from the start of a process: to the end of the import, and to LeNet's first trained step with an "
                     "empty cache of compiled programs and a filled one.", {"rounds": 5}),
    "memory": Command(remembering, "The most memory that a fresh process needs for five steps of training, read from the system: all of "
                      "it, and less what it had after the imports. Programs come from the cache, but for the lines that say otherwise; "
                      "what was needed for a moment to build the network does not count.",
                      {"names": ", ".join(memory.WORKLOADS), "rounds": 3}),
    "contention": Command(disturbing, "The time of a step while another process keeps one core busy, and in one process "
                          "with PyTorch, whose workers spin for a while after each call, a step of each in turn; divided by that of "
                          "quiet rounds.",
                          {"names": ", ".join(contention.WORKLOADS), "rounds": 7, "seconds": 0.5}),
    "accuracy": Command(learning, "Time from the start of a process, with an empty cache of compiled programs, until LeNet has 99% of "
                        "MNIST's test images right: same network, weights, order, optimizer and schedule in PyTorch.", {"seeds": 3}),
    "all": Command(everything, "All measurements, one after the other.",
                   {"rounds": 11, "seconds": 0.5, "peers": True, "seeds": 3}),
}


def parser(name: str) -> argparse.ArgumentParser:
    """The options of a command."""
    command = COMMANDS[name]
    has = command.options
    found = argparse.ArgumentParser(prog=f"python -m benchmarks {name}".rstrip(), description=textwrap.fill(command.about, 100),
                                    epilog=None if name else EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    if "names" in has:
        text = f"workloads, or the beginning of their names: {', '.join(WORKLOADS)} (default: {has['names']})"
        found.add_argument("names", nargs="*", metavar="NAME", help=text)
    if "rounds" in has:
        found.add_argument("--rounds", type=int, default=has["rounds"], help="rounds of each system (default %(default)s)")
    if "seconds" in has:
        found.add_argument("--seconds", type=float, default=has["seconds"], help="length of a round (default %(default)s)")
    if "seeds" in has:
        found.add_argument("--seeds", type=int, default=has["seeds"], help="how many trainings, with seeds from 0 (default %(default)s)")
    if "peers" in has:
        text = f"of {', '.join(measure.PEERS)} (default: all that are installed)"
        found.add_argument("--peers", type=peers, default=tuple(measure.PEERS), metavar="NAME,...", help=text)
        found.add_argument("--warm-cache", action="store_true", help="let slopes use the user's cache of compiled programs")
    text = "compile for this x86-64 level, in slopes and its peers (onnxruntime cannot be told), which this processor must have"
    found.add_argument("--cpu", choices=tuple(measure.LEVELS), help=f"{text}; default: what the processor has")
    found.add_argument("--threads", type=int, default=2, help="threads for each system (default %(default)s)")
    found.add_argument("--json", type=Path, metavar="FILE", help="keep results, every round included, in FILE; what is measured anew "
                       "replaces what it has; results of other machines or libraries go into another file")
    return found


def peers(names: str) -> tuple[str, ...]:
    """Those named."""
    unknown = set(names.split(",")) - set(measure.PEERS)
    if unknown:
        raise argparse.ArgumentTypeError(f"no peer is called {', '.join(sorted(unknown))}; there are {', '.join(measure.PEERS)}")
    return tuple(dict.fromkeys(names.split(",")))


def table(arguments: list[str]) -> None:
    """The Markdown of kept results."""
    found = argparse.ArgumentParser(prog="python -m benchmarks table", description="Print the tables of results that --json kept.")
    found.add_argument("files", type=Path, nargs="+", metavar="FILE", help="what --json wrote; one for each instruction set")
    found.add_argument("--into", type=Path, nargs="+", default=(), metavar="PAGE", help="write them into these pages, between their marks")
    options = found.parse_args(arguments)
    runs = [report.load(file) for file in options.files]
    for page in options.into:
        report.write_into(page, runs)
    if not options.into:
        print(report.markdown(runs))


def calibrating(arguments: list[str]) -> None:
    """The constants of the cost model, as this machine has them."""
    about = ("Measure the constants of the compiler's cost model that a machine can be asked for, in some seconds, on one core; say "
             "which differ from src/slopes/costs.py, by how much, and what they decide.")
    found = argparse.ArgumentParser(prog="python -m benchmarks calibrate", description=about)
    found.add_argument("--cpu", choices=tuple(measure.LEVELS), help="measure the code for this x86-64 level")
    options = found.parse_args(arguments)
    if options.cpu:
        measure.cap(options.cpu)
    calibrate.main()


OTHERS = {"table": table, "calibrate": calibrating, "gpu": gpu.main, "emulate": arm.emulate, "predict": arm.predict}


def main(arguments: list[str]) -> None:
    if arguments and arguments[0] in OTHERS:
        OTHERS[arguments[0]](arguments[1:])
        return
    name, rest = (arguments[0], arguments[1:]) if arguments and arguments[0] in COMMANDS else ("", arguments)
    options = parser(name).parse_args(rest)
    if options.cpu:
        measure.cap(options.cpu)
    if options.json and options.json.exists():
        report.check(options.json, complete(options, {}))  # now rather than after the first row
    report.show(complete(options, COMMANDS[name].run(options)))


if __name__ == "__main__":
    main(sys.argv[1:])
