"""The command `slopes write`: a language model continues a text."""

from __future__ import annotations

from pathlib import Path

import click

from .experiments.load import load


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--prompt", default="", metavar="TEXT", help="the text to continue  [default: a new line]")
@click.option("--length", type=click.IntRange(1), default=400, show_default=True, help="tokens to write: characters, or pieces of words")
@click.option("--temperature", type=click.FloatRange(0), default=0.8, show_default=True,
              help="below 1 more probable texts, above 1 more surprising ones; 0: the most probable token each time")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="the same seed writes the same text")
def write(run: Path, prompt: str, length: int, temperature: float, seed: int) -> None:
    """Write a text with the language model of the folder RUN, which `slopes train language` made.

    Prints the prompt, and what the model continues it with.

    \b
    Examples:
      slopes write runs/language --prompt "Once upon a time"
      slopes write runs/language --length 2000 --temperature 0.5 --seed 7
    """
    written, notes = load(run).write(prompt, length, temperature, seed)
    for note in notes:
        click.echo(note, err=True)
    click.echo(prompt + written)
