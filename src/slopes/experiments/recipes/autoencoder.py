"""autoencoder: the linear one beside PCA, the deep one far below it, sparse, denoising and variational ones with their pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ... import data, nn, optim, random
from ...data.loaders.dataset import Dataset
from ...inside import Filters
from ...inside.draw import sheet
from ...modes import no_grad
from ...plot import Picture, View
from ...tensor import asarray
from ...zoo import autoencoders
from ...zoo.variational import variational
from ..answers import outputs_in_batches
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting
from ..image import read_image

SHOWN = 10  # digits in pictures
BATCH = 1000  # images reconstructed in one call


@dataclass
class Sheet(View):
    """Rows of pictures (rows, count, H, W), each row with a name."""

    rows: dict[str, np.ndarray]

    def draw(self) -> Picture:
        """One row below the other."""
        images = [image for row in self.rows.values() for image in row]
        titles = [name if i == 0 else "" for name, row in self.rows.items() for i in range(len(row))]
        return sheet(images, titles if any(titles) else (), columns=len(next(iter(self.rows.values()))), size=0.8)


def pca_error(train: np.ndarray, test: np.ndarray, count: int) -> tuple[float, np.ndarray]:
    """Mean squared error per pixel of `test` rebuilt from `count` principal components of `train`, and the rebuilt pictures."""
    rows, new = (images.reshape(len(images), -1).astype(np.float64) for images in (train, test))
    mean = rows.mean(axis=0)
    directions = np.linalg.eigh((rows - mean).T @ (rows - mean))[1][:, ::-1][:, :count]
    rebuilt = mean + (new - mean) @ directions @ directions.T
    return float(np.mean((rebuilt - new) ** 2)), rebuilt.reshape(test.shape)


class Kind(NamedTuple):
    """How one kind is made and trained: a function of shape and code, epochs as a multiple of the setting, batch size, rate."""

    make: Callable[[tuple[int, ...], int], nn.Module]
    epochs: float
    batch: int
    rate: float


KINDS = {
    "linear": Kind(autoencoders.linear, 2, 256, 3e-3),
    "deep": Kind(autoencoders.deep, 1, 128, 1e-3),
    "sparse": Kind(lambda shape, code: autoencoders.sparse(shape), 0.5, 128, 1e-3),
    "denoising": Kind(lambda shape, code: autoencoders.denoising(shape), 0.5, 128, 1e-3),
    "variational": Kind(lambda shape, code: variational(shape, code=20), 1, 128, 1e-3)}


def describe(config: Config, digits: data.Splits) -> Facts:
    """The shape of the images."""
    return {"shape": list(digits.train.inputs.shape[1:])}


def network(config: Config, facts: Facts, name: str) -> nn.Module:
    """The autoencoder of this kind."""
    return KINDS[name].make(tuple(facts["shape"]), config["code"])


def training(config: Config, digits: data.Splits, name: str, net: Any) -> Fit:
    """Each image is its own target."""
    kind, images = KINDS[name], digits.train.inputs
    return Fit(Dataset(images, images), loss=net.loss, optimizer=optim.Adam(lr=kind.rate), batch_size=kind.batch, schedule="cosine",
               epochs=max(1, int(kind.epochs * config["epochs"])))


def rebuilt(net: Any, images: np.ndarray) -> np.ndarray:
    """The reconstructions of images, in eval mode."""
    return outputs_in_batches(net, lambda x: net.decode(net.encode(x)), images, BATCH)


def report(result: Result[data.Splits]) -> Report:
    """The mean squared error per pixel of new images, beside that of PCA."""
    digits = result.data
    assert digits.test is not None
    new, code = digits.test.inputs, result.config["code"]
    by_pca, pca_images = pca_error(digits.train.inputs, new, code)
    rows = {"input": new[:SHOWN, 0], "PCA": pca_images[:SHOWN, 0]}
    errors = {"PCA": by_pca}
    for name, net in result.networks.items():
        images = rebuilt(net, new)
        errors[name], rows[name] = float(np.mean((images - new) ** 2)), images[:SHOWN, 0]
    return compared(result.networks, errors, rows, new, result.config.seed)


def compared(nets: dict[str, Any], errors: dict[str, float], reconstructions: dict[str, np.ndarray], new: np.ndarray,
             seed: int) -> Report:
    """Figures, lines and plots."""
    noisy = new[:SHOWN] * (np.random.default_rng(seed).random(new[:SHOWN].shape) > 0.3)
    with no_grad():
        active = float(np.mean(nets["sparse"].encode(asarray(new[:2000])).numpy()))
        random.seed(seed)
        drawn = nets["variational"].sample(4 * SHOWN).numpy()[:, 0].reshape(4, SHOWN, *new.shape[2:])
    rows = {"input": new[:SHOWN, 0], "masked": noisy[:, 0], "restored": rebuilt(nets["denoising"], noisy.astype(np.float32))[:, 0]}
    figures = {"deep / PCA": errors["deep"] / errors["PCA"], "linear / PCA": errors["linear"] / errors["PCA"],
               **{f"error, {name}": value for name, value in errors.items()}, "mean activity, sparse": active}
    weight = nets["sparse"].encoder[1].weight.detach().numpy()[:64].reshape(-1, *new.shape[1:])
    return Report(
        figures, [f"{name:12} mean squared error {value:.5f}  {value / errors['PCA']:7.1%} of PCA's" for name, value in errors.items()]
        + [f"mean activity of the sparse code: {active:.3f}"],
        {"reconstructions.png": Sheet(reconstructions).draw, "denoising.png": Sheet(rows).draw,
         "drawn.png": Sheet({f"drawn {i}": row for i, row in enumerate(drawn)}).draw,
         "sparse-filters.png": Filters(weight, "sparse code, 64 units").draw})


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The reconstruction of an image by the deep autoencoder."""
    image = read_image(item, "mnist")[None]
    again = rebuilt(run.networks["deep"], image)
    return Prediction(f"rebuilt from {run.config['code']} numbers: mean squared error {np.mean((again - image) ** 2):.5f}", again[0, 0])


recipe = Experiment(
    name="autoencoder",
    caption="autoencoders on MNIST: linear beside PCA, deep, sparse, denoising, variational",
    expected="linear within 1% of PCA's error; deep below 60% of it at 30 units",
    data=lambda config: data.mnist(), describe=describe, parts=lambda config: tuple(KINDS), network=network, training=training,
    report=report, predict=predict, one_stream=True,
    datasets=("mnist",),
    settings={"code": Setting(30, "as in Hinton and Salakhutdinov, 2006; the variational one has 20"),
              "epochs": Setting(10, "of the deep one; the linear one takes twice, sparse and denoising half as many; all are then within "
                                    "a few per cent of where they end")},
)
