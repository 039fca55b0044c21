"""The things to try of docs/studio-pictures.md and docs/studio-sequences.md: what they promise is what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")
pytest.importorskip("sklearn")

from slopes.studio.engine import Context, Frame
from slopes.studio.live_engine import Control, LiveEngine
from slopes.studio.messages import Message
from slopes.studio.pictures.engine import PicturesEngine
from slopes.studio.pictures.messages import Configure, Draw, Explain, Unit
from slopes.studio.sequences.engine import DEFAULT, SequencesEngine
from slopes.studio.sequences.messages import Paste, Read, Write

DOCS = Path(__file__).resolve().parents[1] / "docs"
DIGITS = Configure(data="small-digits", filters=8, optimizer="adam", rate=0.01, batch=32, examples=1408, seed=0, speed=0.0)  # whole batches
STORY = replace(DEFAULT, source="built-in")  # the text that needs no file
TICK, TOCK = 13, 8  # the steps of a "k" in "tick tock tick tock"


def ask(engine: LiveEngine, *messages: Message) -> Frame:
    """All that the page shows after these messages."""
    for message in messages:
        engine.handle(message)
        while engine.tasks.waiting:
            engine.tasks.shown = True
            engine.advance(0.01, DIGITS.speed)
    engine.parts.resend()
    frame = engine.frame()
    assert frame is not None
    return frame


def play(engine: LiveEngine, steps: int) -> Frame:
    """All that the page shows after so many more steps."""
    engine.live.run(steps)
    return ask(engine, Control("pause"))  # which measures


def arc(height: float, first: float, last: float) -> tuple[float, ...]:
    """A stroke around the middle at this height; angles are clockwise from the top."""
    return tuple(float(value) for angle in np.linspace(first, last, 13)
                 for value in (0.5 + 0.2 * np.sin(angle), height - 0.18 * np.cos(angle)))


THREE = (arc(0.32, -0.9, np.pi), arc(0.68, 0, np.pi + 0.9))
LEFT_SIDE = (arc(0.32, -0.9, -np.pi), arc(0.68, 0, -np.pi + 0.9))


def structure(filters: np.ndarray) -> float:
    """How much neighbouring weights of the filters are alike: 0 for noise."""
    across, down = (filters[..., 1:], filters[..., :-1]), (filters[..., 1:, :], filters[..., :-1, :])
    return float(sum((one * other).mean() for one, other in (across, down)) / (filters**2).mean())


def emerging_filter(engine: LiveEngine) -> None:
    before = ask(engine, DIGITS, Unit(0, 2))
    after = play(engine, 200)
    assert structure(after.arrays["filters.0"]) > structure(before.arrays["filters.0"]) + 0.1
    assert after.header["favourites"]["boxes"] != [[0, 0, 7, 7]] * 9  # a frame of the size of a filter
    assert min(after.header["favourites"]["activations"]) > 0


def three_or_eight(engine: LiveEngine) -> None:
    for strokes, label in ((THREE, 3), (THREE + LEFT_SIDE, 8)):
        assert ask(engine, Draw(strokes)).arrays["maps.probabilities"].argmax() == label
    maps = [ask(engine, Explain(label)).arrays["saliency.map"] for label in (3, 8)]
    assert np.abs(maps[0] - maps[1]).max() > 0


def too_few_pictures(engine: LiveEngine) -> None:
    many = ask(engine)
    assert many.header["curve"]["step"] == 200
    ask(engine, replace(DIGITS, rate=0.003, examples=96))
    losses = [play(engine, 150).arrays["curve.test"][1, -1] for _ in range(3)]
    assert engine.live.curve.points()[1, -1] < 0.01 and losses[0] < losses[1] < losses[2]
    assert many.arrays["curve.test"][1, -1] < losses[0] / 2


def from_letters_to_words(engine: LiveEngine) -> None:
    corpus = ask(engine, STORY).header["corpus"]
    play(engine, 100)
    frame = ask(engine, Write("The ", 0.3))
    assert frame.arrays["curve.lstm"][1, -1] < corpus["frequencies"] < corpus["chance"]
    cold = frame.header["writing"]["samples"][-1]["text"]
    hot = ask(engine, Write("The ", 1.5)).header["writing"]["samples"][-1]["text"]
    assert len(set(cold.split())) / len(cold.split()) < len(set(hot.split())) / len(hot.split())


def fall(norms: np.ndarray) -> float:
    """How much smaller the gradient is 20 characters before the last one."""
    return float(norms[-20] / norms[-1])


def why_gates(engine: LiveEngine) -> None:
    arrays = ask(engine, replace(STORY, compare=True), Control("reset"), Read("The stream is strong and cold, and the mill")).arrays
    rnn, gru, lstm = (fall(arrays[f"gradients.{kind}_h"]) for kind in ("rnn", "gru", "lstm"))
    assert rnn < 1e-5 and gru > 50 * rnn and lstm > 1000 * rnn
    assert fall(ask(engine, replace(STORY, forget=-2.0)).arrays["gradients.lstm_h"]) < 1e-6 * lstm


def pattern(engine: LiveEngine) -> None:
    ask(engine, replace(STORY, hidden=8, rate=0.01), Paste("tick tock " * 40), Read("tick tock tick tock"))
    hidden = play(engine, 400).arrays["reading.h"]
    losses = engine.live.training.history.losses
    assert losses[0] > 1.5 and abs(losses[-1] - np.log(2) / 5) < 0.02
    assert np.abs(hidden[TICK] - hidden[TOCK]).max() < 0.3
    frame = play(engine, 1400)
    assert engine.live.training.history.losses[-1] < 0.05
    assert np.abs(frame.arrays["reading.h"][TICK] - frame.arrays["reading.h"][TOCK]).max() > 1


PAGES: dict[str, tuple[type[PicturesEngine | SequencesEngine], tuple[Callable[[LiveEngine], None], ...]]] = {
    "studio-pictures.md": (PicturesEngine, (emerging_filter, three_or_eight, too_few_pictures)),
    "studio-sequences.md": (SequencesEngine, (from_letters_to_words, why_gates, pattern))}


def test_the_things_to_try_happen():
    for name, (page, checks) in PAGES.items():
        section = (DOCS / name).read_text(encoding="utf-8").partition("## Three things to try")[2]
        assert sum(line[:1].isdigit() for line in section.splitlines()) == len(checks)
        engine = page(Context())  # as for a reader, one thing follows the other
        for check in checks:
            check(engine)
