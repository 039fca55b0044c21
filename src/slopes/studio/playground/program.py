"""The program to take home: a file of Python that trains as the playground did, and prints the very same losses."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Sequence

from .data import DATA, SEVERAL
from .experiment import Event
from .settings import FEATURES, OPTIMIZERS, OWN, Settings, network_lines, schedule_text, training_epochs

WIDTH = 110


def program(settings: Settings, events: Sequence[Event], steps: int, steps_per_epoch: int) -> str:
    """The program of these settings and changes by hand, up to a step."""
    return "\n".join([
        '"""Made by the playground of slopes: prints the loss of every step, and the losses after every epoch."""', "",
        "import numpy as np", "", "import slopes as sl", "from slopes import nn, optim", "", *data_lines(settings), "",
        *network_text(settings), *training_text(settings, steps_per_epoch), *advance_text(events, steps), "",
        "for step, loss in enumerate(training.history.losses):", '    print(f"step {step + 1}: {loss!r}")',
        "for epoch in training.history.epochs:",
        """    print(f"epoch {epoch.epoch + 1}: {epoch.loss!r}, on the test points {epoch.watched['loss']!r}")""",
        "", '# sl.files.save_safetensors("weights.safetensors", net.state_dict())', ""])


def data_lines(settings: Settings) -> list[str]:
    """The points, shuffled, as features, and divided."""
    features = ", ".join(FEATURES[name].text for name in settings.features)
    target = ".astype(np.float32)[:, None]" if settings.regression else ""
    return [*(own_lines(settings) if settings.data == OWN else made_lines(settings)),
            "order = rng.permutation(len(points))", f"points, targets = points[order], targets[order]{target}", "x1, x2 = points.T",
            *wrapped(f"inputs = np.stack([{features}], axis=1).astype(np.float32)"),
            f"cut = min(max(round(len(points) * {settings.ratio!r} / 100), 1), len(points) - 1)",
            "train, test = sl.data.Dataset(inputs[:cut], targets[:cut]), sl.data.Dataset(inputs[cut:], targets[cut:])"]


def made_lines(settings: Settings) -> list[str]:
    """A data set of the playground: the function that makes it, and its call."""
    more = f", {settings.classes}" if settings.data in SEVERAL else ""
    return ["", inspect.getsource(DATA[settings.data]), "", f"rng = np.random.default_rng({settings.data_seed})",
            f"points, targets = {settings.data}(rng, {settings.count}, {settings.noise!r} / 100{more})"]


def own_lines(settings: Settings) -> list[str]:
    """Own points, written out."""
    rows = wrapped(", ".join(f"({x1!r}, {x2!r}, {target!r})" for x1, x2, target in settings.points), "    ")
    target = "table[:, 2]" if settings.regression else "table[:, 2].astype(np.int64)"
    return ["table = np.array([", *rows, "])", f"rng = np.random.default_rng({settings.data_seed})",
            f"points, targets = table[:, :2], {target}"]


def network_text(settings: Settings) -> list[str]:
    """The network, whose first weights the seed decides."""
    return [f"sl.seed({settings.seed})", "net = nn.Sequential(", *(f"    {line}," for line in network_lines(settings)), ")"]


def training_text(settings: Settings, steps_per_epoch: int) -> list[str]:
    """The training, and first weights that are scaled."""
    optimizer = OPTIMIZERS[settings.optimizer].text.format(lr=settings.rate)
    schedule = schedule_text(settings, steps_per_epoch)
    options = [f"optimizer={optimizer}", f"epochs={training_epochs(settings)}", f"batch_size=min({settings.batch}, len(train))",
               "validation=test", f"seed={settings.seed}", *([f"schedule={schedule}"] if schedule else [])]
    if settings.penalty != "none":
        options.append(f"penalty=lambda net: {settings.strength!r} * nn.{settings.penalty.lower()}_penalty(net)")
    lines = ["training = sl.Training(net, train,", *(f"                       {option}," for option in options)]
    lines[-1] = lines[-1][:-1] + ")"
    scale = ["for layer in net:", "    if isinstance(layer, nn.Linear):", "        for tensor in (layer.weight, layer.bias):",
             f"            tensor.assign(tensor.detach().numpy() * np.float32({settings.initial!r}))"]
    return [*lines, *(scale if settings.initial != 1 else [])]


def advance_text(events: Sequence[Event], steps: int) -> list[str]:
    """The steps, and the changes by hand between them."""
    lines, done = [], 0
    if any(event.layer >= 0 for event in events):
        lines.append("layers = [layer for layer in net if isinstance(layer, nn.Linear)]")
    for event in events:
        if event.step > done:
            lines.append(f"training.advance({event.step - done})")
        done = event.step
        lines += event_text(event)
    return [*lines, *([f"training.advance({steps - done})"] if steps > done else [])]


def event_text(event: Event) -> list[str]:
    """A change by hand."""
    if event.layer < 0:
        return [f"training.rate = {event.value!r}"]
    tensor = f"layers[{event.layer}].{'bias' if event.column < 0 else 'weight'}"
    index = f"{event.row}" if event.column < 0 else f"{event.row}, {event.column}"
    return [f"values = {tensor}.detach().numpy().copy()", f"values[{index}] = {event.value!r}", f"{tensor}.assign(values)"]


def wrapped(text: str, indent: str = "") -> list[str]:
    """A long line as several, between items."""
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent or "    ", break_long_words=False,
                         break_on_hyphens=False)
