"""autoencoder: the linear one beside PCA, the deep one far below it, sparse, denoising and variational ones with their pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import data, optim, random
from ...compile import compile
from ...data.loaders.dataset import Dataset
from ...inside import Filters
from ...inside.draw import sheet
from ...plot import Picture, View
from ...tensor import asarray, no_grad
from ...train.fit import fit
from ...train.mode import Mode
from ...zoo import autoencoders
from ...zoo.variational import variational
from ..experiment import Setting
from ..study import Findings, Study

SHOWN = 10  # digits in pictures


@dataclass
class Sheet(View):
    """Rows of pictures (rows, count, H, W), each row with a name."""

    rows: dict[str, np.ndarray]

    def draw(self) -> Picture:
        """One row below the other."""
        images = [each for row in self.rows.values() for each in row]
        titles = [name if i == 0 else "" for name, row in self.rows.items() for i in range(len(row))]
        return sheet(images, titles if any(titles) else (), columns=len(next(iter(self.rows.values()))), size=0.8)


def pca_error(train: np.ndarray, test: np.ndarray, count: int) -> tuple[float, np.ndarray]:
    """Mean squared error per pixel of `test` rebuilt from `count` principal components of `train`, and the rebuilt pictures."""
    rows, new = (each.reshape(len(each), -1).astype(np.float64) for each in (train, test))
    mean = rows.mean(axis=0)
    directions = np.linalg.eigh((rows - mean).T @ (rows - mean))[1][:, ::-1][:, :count]
    rebuilt = mean + (new - mean) @ directions @ directions.T
    return float(np.mean((rebuilt - new) ** 2)), rebuilt.reshape(test.shape)


def learned(net: Any, train: Dataset, epochs: int, batch: int, rate: float, seed: int) -> Any:
    """The net after so many epochs of learning to say its input again."""
    fit(net, train, loss=net.loss, optimizer=optim.Adam(lr=rate), epochs=epochs, batch_size=batch, schedule="cosine", seed=seed,
        progress=False)
    return net


def rebuilt(net: Any, images: np.ndarray) -> np.ndarray:
    """What the net makes of pictures, in the mode of use."""
    ask = compile(lambda x: net.decode(net.encode(x)))
    with Mode(net, training=False), no_grad():
        return np.concatenate([ask(asarray(part)).numpy() for part in np.array_split(images, max(1, len(images) // 1000))])


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Train all kinds on the same pictures, and measure the mean squared error per pixel of new ones."""
    digits = data.mnist()
    images, new = digits.train.inputs, digits.test.inputs  # type: ignore[union-attr]
    train, shape, code, epochs = Dataset(images, images), images.shape[1:], values["code"], values["epochs"]
    by_pca, pca_pictures = pca_error(images, new, code)
    errors, pictures = {"PCA": by_pca}, {"input": new[:SHOWN, 0], "PCA": pca_pictures[:SHOWN, 0]}
    random.seed(seed)
    makers: dict[str, tuple[Callable[[], Any], int, int, float]] = {  # net, epochs, batch, rate of each
        "linear": (lambda: autoencoders.linear(shape, code), 2 * epochs, 256, 3e-3),
        "deep": (lambda: autoencoders.deep(shape, code), epochs, 128, 1e-3),
        "sparse": (lambda: autoencoders.sparse(shape), max(1, epochs // 2), 128, 1e-3),
        "denoising": (lambda: autoencoders.denoising(shape), max(1, epochs // 2), 128, 1e-3),
        "variational": (lambda: variational(shape, code=20), epochs, 128, 1e-3)}
    nets = {}
    for name, (make, passes, batch, rate) in makers.items():
        net = nets[name] = learned(make(), train, passes, batch, rate, seed)
        found = rebuilt(net, new)
        errors[name], pictures[name] = float(np.mean((found - new) ** 2)), found[:SHOWN, 0]
        tell(f"{name}: mean squared error {errors[name]:.5f}, {errors[name] / by_pca:.1%} of PCA's ({code} components)")
    return findings(nets, errors, pictures, new, code, seed)


def findings(nets: dict[str, Any], errors: dict[str, float], pictures: dict[str, np.ndarray], new: np.ndarray, code: int,
             seed: int) -> Findings:
    """Figures, lines and pictures."""
    spoiled = new[:SHOWN] * (np.random.default_rng(seed).random(new[:SHOWN].shape) > 0.3)
    with no_grad():
        active = float(np.mean(nets["sparse"].encode(asarray(new[:2000])).numpy()))
        random.seed(seed)
        drawn = nets["variational"].sample(4 * SHOWN).numpy()[:, 0].reshape(4, SHOWN, *new.shape[2:])
    rows = {"input": new[:SHOWN, 0], "spoiled": spoiled[:, 0], "restored": rebuilt(nets["denoising"], spoiled.astype(np.float32))[:, 0]}
    figures = {"deep / PCA": errors["deep"] / errors["PCA"], "linear / PCA": errors["linear"] / errors["PCA"],
               **{f"error, {name}": value for name, value in errors.items()}, "mean activity, sparse": active}
    weight = nets["sparse"].encoder[1].weight.detach().numpy()[:64].reshape(-1, *new.shape[1:])
    return Findings(
        figures, [f"{name:12} mean squared error {value:.5f}  {value / errors['PCA']:7.1%} of PCA's" for name, value in errors.items()]
        + [f"mean activity of the sparse code: {active:.3f}"],
        {"reconstructions.png": Sheet(pictures).draw, "denoising.png": Sheet(rows).draw,
         "drawn.png": Sheet({f"drawn {i}": each for i, each in enumerate(drawn)}).draw,
         "sparse-filters.png": Filters(weight, "sparse code, 64 units").draw},
        {f"{name}.{path}": array for name in ("deep", "variational") for path, array in nets[name].state_dict().items()})


recipe = Study(
    name="autoencoder",
    caption="auto-encoders on MNIST: linear beside PCA, deep, sparse, denoising, variational",
    expected="linear within 1% of PCA's error; deep below 60% of it at 30 units",
    investigate=investigate,
    datasets=("mnist",),
    sizes={"code": Setting(30, "as in Hinton and Salakhutdinov, 2006; the variational one has 20"),
           "epochs": Setting(10, "the deep one; the linear takes twice, sparse and denoising half as many; all are then within a few "
                                 "per cent of where they end")},
)
