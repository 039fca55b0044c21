"""images: the class of a picture, learned from pictures of the user's own: a folder for each class, or a table of their classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import nn, optim
from ...data.transforms import augment
from ...errors import ArgumentError
from ...tensor import Tensor
from ...zoo.lenet import regularized_lenet, small_convolution
from ...zoo.resnet import resnet, small_resnet
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Report, Result, Setting
from .classifier import OwnFiles, Standardized, describe, fit_options, log_steps, report
from .labelled_files import file_settings
from .pictures import KIND, LEAST, MOST, Sight, pixel_features, read_pictures
from .predictor import Predictor, uses_of

DROPOUT, PASSES = 0.2, 150_000
NETWORKS: dict[str, Callable[[tuple[int, ...], int, int], nn.Module]] = {
    "convolution": lambda shape, classes, width: small_convolution(shape, classes, channels=width),
    "lenet": lambda shape, classes, width: regularized_lenet(shape, classes, dropout=DROPOUT),
    "small-resnet": lambda shape, classes, width: small_resnet(shape, classes, depth=8, width=width),
    "resnet": lambda shape, classes, width: resnet(shape, classes, depth=18, width=width),
}
SMALL, LARGE = 16, 64  # sizes: below the first two convolutions will do; from the second on the first one halves the size
LENET_SIZE = 16  # the smallest that two 5x5 convolutions with poolings leave anything of
STRENGTHS = ("auto", "none", "shift", "mirror", "strong")


def network_name(config: Config, size: int, channels: int) -> str:
    """The network asked for, else the one for pictures of this size and so many channels."""
    if config["net"] == "lenet" and size < LENET_SIZE:
        raise ArgumentError(f"--net lenet: the pictures have {size} x {size} pixels", where="", why="two 5x5 convolutions with poolings "
                            f"leave nothing of less than {LENET_SIZE}", repair=f"use another net, or --size {LENET_SIZE} and more")
    if config["net"] != "auto":
        return str(config["net"])
    if size < SMALL or size >= LARGE:
        return "convolution" if size < SMALL else "resnet"
    return "lenet" if channels == 1 else "small-resnet"


def data(config: Config) -> OwnFiles:
    """The pictures, and what was understood of them, which is logged."""
    files = read_pictures(config)
    size, channels = files.facts["size"], files.facts["channels"]
    files.facts["network"] = name = network_name(config, size, channels)
    files.facts["augment"] = strength = augmentation(config, channels)
    why = "as asked for" if config["augment"] != "auto" else "grey pictures may be of letters or digits" if channels == 1 else \
        "--augment shift where a mirror image would be of another class"
    note = {"none": "pictures are not varied", "shift": "shifted, not mirrored", "mirror": "shifted and mirrored",
            "strong": "shifted, mirrored, turned, scaled, partly hidden"}[strength]
    files.lines += [f"network: {name}, for pictures of {size} x {size}; in training {note} ({why})"]
    for line in files.lines:
        config.log(line)
    return files


def augmentation(config: Config, channels: int) -> str:
    """The augmentation asked for, else shifts, for pictures in colour with mirroring."""
    if config["augment"] != "auto":
        return str(config["augment"])
    return "shift" if channels == 1 else "mirror"


def vary(strength: str, size: int) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None:
    """The augmentation of batches (N, C, size, size); None: there is none. What comes in from outside is like the edge."""
    if strength == "none":
        return None

    def change(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if strength == "strong":
            x = augment.rotate(x, degrees=15, zoom=0.15, fill=None)
        x = augment.shift(x, max(1, size // 32), fill=None)
        if strength in ("mirror", "strong"):
            x = augment.flip(x)
        if strength == "strong":
            x = augment.erase(x, max(1, size // 4), p=0.5, fill=0.5)
        return x, y

    return change


def network(config: Config, facts: Facts, name: str) -> nn.Module:
    """The network, behind a layer that standardizes the pixels."""
    shape = (facts["channels"], facts["size"], facts["size"])
    if facts["channels"] not in (1, 3) or not LEAST <= facts["size"] <= MOST:
        raise ValueError(f"pictures of shape {shape!r:.40}")
    net = NETWORKS[facts["network"]](shape, len(facts["classes"]), config["width"])
    return nn.Sequential(Standardized(facts["mean"], facts["std"]), net)


def training(config: Config, files: OwnFiles, name: str, net: nn.Module) -> Fit:
    """The training."""
    options: dict[str, Any] = fit_options(config, files, PASSES)
    fit = Fit(files.train, files.validation, optimizer=optim.AdamW(lr=config["rate"], weight_decay=config["decay"]),
              augment=vary(files.facts["augment"], files.facts["size"]), **options)
    log_steps(config, fit)
    return fit


def report_pictures(result: Result[OwnFiles]) -> Report:
    """The account, with the pictures of the worst mistakes."""
    return report(result, pixel_features)


def predictor(run: LoadedRun) -> Predictor:
    """What predicts files with a run."""
    return Predictor(run, KIND, Sight(run.facts["size"], run.facts["channels"], "", "").read)


experiment = Experiment(
    name="images",
    caption="the class of your own pictures, from a folder with a subfolder for each class",
    expected="better than the simpler models that are printed beside it; hundreds of pictures of each class are a good beginning",
    source="folder", files=("labels", "valid", "test"), takes="PICTURE",
    examples=("FOLDER", "FOLDER --skip-broken --balanced", "FOLDER --labels classes.csv --file-column name",
              "FOLDER --test LATER --size 64"),
    data=data, describe=describe, network=network, training=training, report=report_pictures, **uses_of(predictor),
    settings={**file_settings(KIND),
              "size": Setting(0, "height and width to which pictures are scaled; 0: chosen by their sizes, at most 96", least=0),
              "colour": Setting("auto", "auto: grey if no colour is seen in a sample", ("auto", "grey", "colour")),
              "net": Setting("auto", "auto: two convolutions for less than 16 pixels; below 64 LeNet with batch norm for grey "
                                     "pictures, a residual net of 8 layers for colour; else one of 18", ("auto", *NETWORKS)),
              "width": Setting(16, "filters of the first layer, but of lenet; 32 may be better for many thousand pictures, and takes four "
                                   "times as long"),
              "augment": Setting("auto", "how pictures are varied in training: shift, by 1/32 of the size; mirror, and mirrored half of "
                                         "the time; strong, and turned, scaled and partly hidden; auto: mirror for colour, shift for grey",
                                 STRENGTHS),
              "epochs": Setting(0, "passes over the pictures; 0: so many that 150,000 are seen, from 8 to 60"),
              "batch": Setting(64, "pictures of a step, at most; of few pictures there are fewer, at least 16"),
              "rate": Setting(3e-3, "of AdamW: the peak of one cycle; with batch norm, three times the usual learning rate works"),
              "decay": Setting(0.02, "of the weights")},
)
