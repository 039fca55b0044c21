"""A run folder with its trained networks, whatever left it: figures, settings, histories, and predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import nn
from ..errors import ArgumentError
from ..files.jsonfile import plain
from ..train.history import History
from ..train.records import figures_of
from ..train.run_folder import other_model
from ..train.runs import STUDY_SCHEMA, SavedRun, structure
from .answers import outputs


@dataclass
class Loaded:
    """A run folder with its networks, trained and in eval mode, by name; `record` is all else that the folder holds."""

    record: SavedRun
    networks: dict[str, Any]

    @property
    def recipe(self) -> str:
        """The recipe that made it, `table`, or "" of a plain fit."""
        return self.record.recipe

    @property
    def figures(self) -> dict[str, float]:
        """The figures by name, the first one to judge by; of a run that has none, the lowest validation loss."""
        return figures_of(self.record)

    @property
    def settings(self) -> dict[str, Any]:
        """The hyper-parameters by name."""
        return self.record.hyperparameters

    @property
    def seed(self) -> int:
        """The seed."""
        return self.record.seed

    @property
    def histories(self) -> dict[str, History]:
        """The history of each training whose network is kept, by name."""
        return {name: network.history for name, network in self.record.networks.items()}

    @property
    def history(self) -> History:
        """The history of the only training, or of the first. ArgumentError where none is kept."""
        return self.first(self.histories)

    @property
    def net(self) -> Any:
        """The only network, or the first. ArgumentError where there is none."""
        return self.first(self.networks)

    def first(self, named: Mapping[str, Any]) -> Any:
        """The first of some networks or histories."""
        if not named:
            raise self.without_net()
        return next(iter(named.values()))

    def without_net(self) -> ArgumentError:
        """The error where there is no network."""
        return ArgumentError(f"recipe {self.recipe} keeps no network to predict with",
                             why="it compares models; its figures and plots are in the run folder",
                             repair="train another recipe: slopes train --list")

    def __repr__(self) -> str:
        figure = next((f", {name} {value:.6g}" for name, value in self.figures.items()), "")
        return f"<{type(self).__name__} {self.record.folder}, {self.recipe or 'fit'}{figure}>"

    def write(self, prompt: str = "", length: int = 400, temperature: float = 0.8, seed: int = 0) -> tuple[str, list[str]]:
        """The error of a run that is no language model learned from the user's own text."""
        raise ArgumentError(f"a run of {self.recipe or 'your own net'} writes no text",
                            why="it is no language model that was learned from a file of yours",
                            repair=f"slopes train language FILE.txt makes one; slopes predict {self.record.folder} uses this one")


class NetRun(Loaded):
    """A run whose networks slopes cannot build, because their code is the user's own: with her nets it predicts, without them it has
    figures, settings, histories, and the weights in `record.networks`."""

    def predict(self, *inputs: Any) -> Any:
        """The outputs of the net for some inputs, in eval mode and without derivatives: an array, or a tuple of them."""
        return outputs(self.net, *inputs)

    def without_net(self) -> ArgumentError:
        return ArgumentError(f"{self.record.folder} has no network to predict with", why=self.reason(),
                             repair=f"make the net as for the training, and give it to load: sl.load({str(self.record.folder)!r}, net)")

    def reason(self) -> str:
        """Why there is no network."""
        if self.record.schema == STUDY_SCHEMA:
            return "an older version of slopes wrote it, which kept no description of the data to build the networks from"
        return f"this slopes has no recipe {self.recipe!r}, which would build the net" if self.recipe else \
            "it holds the weights and what layers they are of, but not the code that builds the net"


def with_nets(saved: SavedRun, nets: nn.Module | Mapping[str, nn.Module] | None) -> NetRun:
    """The run with these nets, which get its weights; ArgumentError for nets of other layers, before any is changed."""
    named = {} if nets is None else {next(iter(saved.networks), ""): nets} if isinstance(nets, nn.Module) else dict(nets)
    if named and set(named) != set(saved.networks):
        raise ArgumentError(f"{saved.folder} holds {len(saved.networks)} networks: {', '.join(map(repr, saved.networks)) or 'none'}",
                            why=f"the nets to load are {', '.join(map(repr, named))}",
                            repair="give a net for each: sl.load(run, {name: net, ...})")
    for name, net in named.items():
        layers = saved.networks[name].structure
        if layers and (difference := other_model(layers, plain(structure(net)))):
            raise ArgumentError(f"the net is not the one that {saved.folder} has the weights of", why=difference,
                                repair="make it as for the training, with the same layers and sizes")
    for name, net in named.items():
        net.load_state_dict(saved.networks[name].weights)
        net.eval()
    return NetRun(saved, named)
