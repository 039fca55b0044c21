"""The command line: train a recipe, predict with the run folder that it wrote, and show facts about this machine."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from pathlib import Path
from typing import Any, TextIO, cast

import click
import numpy as np

from .data.sets.locate import found_sets
from .errors import SlopesError, error_text
from .export_command import export
from .extras import on_demand
from .launch_command import launch
from .machine.threads import thread_count
from .plan_command import plan
from .play_command import play
from .predict_commands import evaluate, predict
from .run_commands import report, runs
from .settings import VARIABLES, VERSION, cache_folder, data_folder
from .streams import Lenient
from .train.interrupt import INTERRUPTED
from .train_command import train
from .tune_command import tune_command
from .write_command import write


class Commands(click.Group):
    """A group whose commands end with the four parts of an expected error instead of a traceback, and exit code 1."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except SlopesError as error:
            click.echo(error_text(error), err=True)
            context.exit(1)
        except KeyboardInterrupt:
            click.echo("interrupted: nothing was saved", err=True)
            context.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(VERSION, prog_name="slopes")
def command() -> None:
    """Deep learning on ordinary machines: networks are trained as one native program.

    \b
    Examples:
      slopes train digits                 a net for handwritten digits, in seconds
      slopes predict runs/digits my.png   which digit does my picture show?
      slopes tune digits --trials 30      search for good hyper-parameters
      slopes play                         watch a network learn in the browser
      slopes runs                         the runs in the folder runs, with their figures
      slopes info                         version, processor, threads and folders
    """


for subcommand in (launch, plan, train, predict, evaluate, export, report, runs, tune_command(), write, play):
    command.add_command(subcommand)


@command.command()
def info() -> None:
    """Show version, processor, threads, and the folders that slopes uses.

    \b
    Example:
      slopes info
    """
    for name, value in facts().items():
        click.echo(f"{name:12} {value}")
    click.echo("\nsettings (environment variables):")
    for name, meaning in VARIABLES.items():
        click.echo(f"  {name}={os.environ.get(name, '')}  {meaning}")


def facts() -> dict[str, str]:
    """The lines of `slopes info`, by name."""
    llvm, local, translate = on_demand("llvmlite.binding"), data_folder(), on_demand("slopes.machine.translate")
    features = llvm.get_host_cpu_features()
    known = [name for name in ("avx512f", "avx512bw", "avx512vl", "avx2", "fma", "neon", "sve") if features.get(name)]
    return {
        "slopes": VERSION,
        "python": f"{platform.python_version()} with NumPy {np.__version__}, LLVM {'.'.join(map(str, llvm.llvm_version_info))}",
        "system": f"{platform.system()} {platform.machine()}",
        "processor": f"{llvm.get_host_cpu_name()}: {', '.join(known) or 'no vector extension that slopes knows'}",
        "target": target_text(*translate.host()),
        "threads": f"{thread_count()} of {os.cpu_count()} processors",
        "calls": on_demand("slopes.machine.entry").entry_class().name,
        "xla": on_demand("slopes.xla.library").describe(),
        "cache": folder_text(cache_folder()),
        "data": folder_text(local) if local else f"no local copy (SLOPES_DATA); downloads go to {cache_folder() / 'data'}",
        "data sets": ", ".join(["digits (of scikit-learn)", *found_sets()]) + "; others are downloaded when asked for",
    }


def target_text(triple: str, processor: str, features: str) -> str:
    """What functions are compiled for, and how that was chosen."""
    named, chosen = os.environ.get("SLOPES_CPU", ""), on_demand("slopes.machine.translate").instruction_set(triple, features)
    return f"{chosen}, LLVM's {processor}" + (f" (SLOPES_CPU={named})" if named else "")


def folder_text(folder: Path) -> str:
    """The folder, its size, and whether it is there."""
    if not folder.is_dir():
        return f"{folder} (not there yet)"
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    return f"{folder} ({len(sizes):,} files, {sum(sizes) / 2**20:,.1f} MiB)"


def main(args: list[str] | None = None) -> None:
    """Entry point of `slopes`: exit code 0 when all is well, 1 after an error, 2 for wrong usage, 130 after ^C.

    A training does not depend on its output: when standard output is full or closed it continues and is saved; the command says so
    once at its end, except for a reader that has closed the pipe, such as `| head -1`. The exit code is then 1.
    """
    output, errors = Lenient(sys.stdout), Lenient(sys.stderr)
    code: Any = 0
    with contextlib.redirect_stdout(cast(TextIO, output)), contextlib.redirect_stderr(cast(TextIO, errors)):
        try:
            command.main(args, prog_name="slopes")
        except SystemExit as end:
            code = end.code
    sys.exit(code_of(code, output, errors))


def code_of(code: Any, output: Lenient, errors: Lenient) -> Any:
    """The exit code of a command that ended with `code`; output that was lost is reported, and makes it a failure."""
    output.flush()
    if output.error is not None and not isinstance(output.error, BrokenPipeError):
        reason = getattr(output.error, "strerror", None) or output.error
        print(f"error: standard output could not be written: {reason}", file=cast(TextIO, errors), flush=True)
    lost = [stream for stream in (output, errors) if stream.error is not None]
    for stream in lost:
        stream.abandon()
    return code or (1 if lost else 0)
