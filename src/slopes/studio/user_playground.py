"""The playground of a network that a program hands over: it begins with the network's own weights and data."""

from __future__ import annotations

from ..errors import ArgumentError
from .engine import Context, Frame
from .playground.engine import Playground
from .playground.messages import TakeHome
from .playground.settings import Settings
from .user_network import UserNetwork

USER_NETWORK = "user network"  # the name among the objects that a context shares
FIRST = "first-weights.safetensors"
LOADING = f"net.load_state_dict(sl.files.load_safetensors({FIRST!r}))  # of the given network: the playground saves them at step 0"


class UserPlayground(Playground):
    """A playground whose first experiment is that of the given network; so is any other with the same layers and seed."""

    def __init__(self, context: Context, network: UserNetwork) -> None:
        self.network, self.is_first = network, True
        super().__init__(context)

    def begin(self, settings: Settings) -> None:
        """A new experiment; it begins with the given weights where it has a network of the same shape, and the same seed."""
        super().begin(self.network.settings if self.is_first else settings)
        self.is_first = False
        if self.network.begins(self.settings):
            self.experiment.net.load_state_dict(self.network.weights)
            self.experiment.checkpoints.clear()
            self.experiment.add_checkpoint(kept=True)

    def take(self, message: TakeHome) -> Frame:
        """Something to take home; a program reads the given weights, which a link cannot hold."""
        if not self.network.begins(self.settings) or message.what == "weights":
            return super().take(message)
        if message.what == "link":
            raise ArgumentError("a link cannot hold the weights of a network that sl.play was given", where="in the playground",
                                repair="copy the program, or change the seed: then the playground draws weights of its own")
        frame = super().take(message)
        head, training, rest = frame.header["text"].partition("training = sl.Training(")
        return Frame({**frame.header, "text": f"{head}{LOADING}\n{training}{rest}"})


def make_playground(context: Context) -> Playground:
    """The playground of the network that a program handed over, or the usual one."""
    network = context.shared.get(USER_NETWORK)
    return Playground(context) if network is None else UserPlayground(context, network)
