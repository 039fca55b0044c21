"""The command `slopes plan`: memory, operations, traffic and time of a recipe's step on devices that are not there."""

from __future__ import annotations

import math
from typing import Any

import click

from .command_options import setting_options
from .errors import ArgumentError
from .experiments.catalog import OWN_DATA, RECIPES, find_recipe
from .experiments.experiment import Experiment
from .plan.analysis import StepAnalysis, largest_batch, step_time
from .plan.compiled import plan_steps
from .plan.devices import DEVICES, Device, find_device
from .xla.collectives import traffic
from .xla.mesh import parse_axes

UNITS = "", "k", "M", "G", "T", "P"


class Plans(click.Group):
    """`slopes plan` with the recipes as its commands."""

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The recipe's command; wrong usage when there is none."""
        try:
            return plan_command(find_recipe(name))
        except ArgumentError as error:
            context.fail(f"{error.what}; {error.why}; {error.repair}")

    def list_commands(self, context: click.Context) -> list[str]:
        """All recipes."""
        return [*RECIPES, *OWN_DATA]


@click.group(cls=Plans, subcommand_metavar="RECIPE [OPTIONS]...", name="plan")
def plan() -> None:
    """Say what a step of RECIPE takes on a mesh of devices, without these devices.

    The step is compiled for so many devices in a process of its own, and XLA's analysis of the program gives the memory of each device,
    operations, and the bytes of each collective; the device's figures give the time at its best speed, what bounds it, and the largest
    batch that fits.

    \b
    Examples:
      slopes plan lenet --mesh data=8
      slopes plan chars-gpt --mesh data=16,model=4 --split megatron --zero --device a100
      slopes plan fashion --mesh data=2 --measure
    """


def plan_command(recipe: Experiment[Any]) -> click.Command:
    """`slopes plan NAME`."""
    options = [
        click.Option(["--mesh"], required=True, metavar="data=64,model=2", help="the axes of the mesh and their numbers of devices"),
        click.Option(["--split"], help="a ready table that splits parameters along model: towers, wide, megatron"),
        click.Option(["--zero"], is_flag=True, help="split optimizer state along data (ZeRO-1)"),
        click.Option(["--device"], default="h100", metavar="NAME|FILE",
                     help=f"{', '.join(DEVICES)}; cpu: this machine; or a JSON file with flops, memory, bandwidth, link  [default: h100]"),
        click.Option(["--measure"], is_flag=True, help="measure the device here, instead of --device"),
    ]
    return click.Command(recipe.name, params=[*setting_options(recipe), *options], short_help=recipe.caption,
                         help=f"What a step takes: {recipe.caption}.",
                         callback=lambda **args: print_plan(recipe, **args))


def print_plan(recipe: Experiment[Any], mesh: str, split: str | None, zero: bool, device: str, measure: bool, **args: Any) -> None:
    """`slopes plan RECIPE`."""
    axes = parse_axes(mesh)
    count = math.prod(axes.values())
    figures = Device(**plan_steps({"measure": True}, 1)[1]) if measure or device == "cpu" else find_device(device)
    values = {name: value for name, value in args.items() if value is not None}
    steps, facts = plan_steps({"recipe": recipe.name, "values": values, "mesh": mesh, "split": split, "zero": zero}, count)
    for line in plan_lines(steps, facts, figures, axes.get("data", 1), count):
        click.echo(line)


def plan_lines(steps: list[StepAnalysis], facts: dict[str, Any], device: Device, parts: int, count: int) -> list[str]:
    """The lines of a plan."""
    step, times = steps[0], step_time(steps[0], device)
    largest = largest_batch(steps, device.memory, parts) if len(steps) == 2 and steps[1].batch > step.batch else None
    lines = [
        f"{count} devices: {device.name} ({device.source})",
        f"parameters        {facts['parameters']:,}",
        f"batch             {step.batch}, {-(-step.batch // parts)} on each device",
        f"memory            {quantity(step.memory, 'B')} of {quantity(device.memory, 'B')} on each device: state and batch "
        f"{quantity(step.arguments, 'B')}, values in between {quantity(step.temporary, 'B')}, results {quantity(step.results, 'B')}",
        f"operations        {quantity(step.flops, '')} on each device, {quantity(times.computing, 's')}",
        f"memory traffic    {quantity(step.accessed, 'B')} on each device, {quantity(times.reading, 's')}",
        *(f"{item.kind:17} {item.bytes:,} B in {item.calls} call{'s' * (item.calls > 1)}" for item in traffic(step.collectives)),
        f"collectives       {quantity(times.sending, 's')}",
        f"step              at least {quantity(times.seconds, 's')}, bound by {times.bound}: {step.batch / times.seconds:,.0f} examples/s",
    ]
    return lines if largest is None else [*lines, f"largest batch     about {largest:,}, by the memory of one device"]


def quantity(value: float, unit: str) -> str:
    """A figure with a prefix.

    >>> quantity(12_345, "B"), quantity(0.00025, "s"), quantity(0, "B")
    ('12.3 kB', '250 us', '0 B')
    """
    if value and unit == "s" and value < 1:
        scale, prefix = (3, "m") if value >= 1e-3 else (6, "u") if value >= 1e-6 else (9, "n")
        return f"{value * 10**scale:.3g} {prefix}s"
    power = min(len(UNITS) - 1, int(math.log10(value) // 3)) if value >= 1 and unit != "s" else 0
    return f"{value / 1000**power:.3g} {UNITS[power]}{unit}".rstrip()
