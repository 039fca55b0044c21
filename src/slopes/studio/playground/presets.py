"""Presets of the playground: settings that show one thing, and a paragraph that guides the eye."""

from __future__ import annotations

from dataclasses import dataclass

from .settings import LayerSettings, Settings

HIDDEN = LayerSettings


@dataclass(frozen=True)
class Preset:
    """A title, what to look at, the settings, and the speed in epochs per second."""

    name: str
    title: str
    text: str
    settings: Settings
    speed: float = 30.0


PRESETS = (
    Preset("xor-line", "XOR: one line is not enough",
           "There is no hidden layer, so the boundary is a straight line, and no line separates XOR: the loss stays near 0.69, which is "
           "what guessing costs. Press play and watch the line turn without finding a way. Then add a hidden layer with 4 units, or tick "
           "the feature x1 x2, and play again.",
           Settings(data="xor", layers=(), rate=0.03)),
    Preset("xor-hidden", "XOR with a hidden layer",
           "The same data with four hidden units. Each unit draws one line, as its small map shows; the output adds them up to the four "
           "corners. Point at a unit to see its map in the large picture. With a seed of 1, 2, 3 ... the lines share the work differently.",
           Settings(data="xor", layers=(HIDDEN(4),), rate=0.03)),
    Preset("circle-polar", "Polar features solve the circle",
           "A straight line in the right coordinates: the only feature is the radius, and a single layer separates ring and disc, without "
           "any hidden unit. Replace the feature radius by x1 and x2: the line fails. With x1^2 and x2^2, whose sum is the radius squared, "
           "it works again.",
           Settings(data="circle", layers=(), features=("radius",), rate=0.1)),
    Preset("rate-too-high", "A learning rate too high",
           "Plain gradient descent with rate 10: the loss begins at 8, jumps up and down, and so does the boundary; a remark below the "
           "curves says what to do. Set the rate to 0.3, press Reset and Play: the same network learns in a few epochs.",
           Settings(data="circle", layers=(HIDDEN(8), HIDDEN(8)), optimizer="SGD", rate=10.0)),
    Preset("vanishing", "Vanishing gradients in ten sigmoid layers",
           "Each sigmoid multiplies the gradient by at most 1/4. After ten layers almost nothing is left for the first ones: tick "
           "gradients, and only the lines on the right can be seen, while the loss stays at 0.69. With tanh, gradients of the first "
           "layer are 100,000 times larger. With batch norm in every layer, the network learns, even with sigmoids.",
           Settings(data="circle", layers=(HIDDEN(6, "sigmoid"),) * 10, optimizer="SGD", rate=0.3)),
    Preset("dead-relu", "Dead ReLUs",
           "Steps that are too large push units to where their ReLU gives 0 for every point. Such a unit has no gradient and never comes "
           "back: it is crossed out. After five epochs count them. Set the rate to 0.03 and reset: all units live. A leaky ReLU cannot "
           "die.",
           Settings(data="circle", layers=(HIDDEN(8, "ReLU"), HIDDEN(8, "ReLU")), optimizer="SGD", rate=3.0)),
    Preset("overfitting", "Overfitting, and what helps",
           "Forty noisy points to train on, and a network with thousands of weights: the training loss falls to 0 while the test loss "
           "rises, and the boundary winds around single points. Try three cures, each from a reset: L2 with strength 0.01, dropout of "
           "0.5 in both layers, or 1,000 points.",
           Settings(data="gauss", count=80, noise=40, batch=10, layers=(HIDDEN(48, "ReLU"), HIDDEN(48, "ReLU")), rate=0.01), 60.0),
    Preset("zeros", "All initial values zero",
           "All weights begin at zero, so all units of a layer are equal and get equal gradients: with zeros behind them, none at all. "
           "Only the last bias moves. Set initial values to 1 again: random values break the symmetry.",
           Settings(data="circle", initial=0.0, layers=(HIDDEN(4), HIDDEN(4)), optimizer="SGD", rate=0.3)),
    Preset("classes", "Five classes",
           "Five arms of a pinwheel, a colour each, and paler where the network is less certain. The five outputs on the right compete: "
           "point at one to see where it wins.",
           Settings(data="pinwheel", classes=5, noise=5, layers=(HIDDEN(16), HIDDEN(16)), rate=0.01)),
    Preset("spiral", "The spiral",
           "The hard one. Two layers of sixteen units and a rate that falls along a cosine find the way in some seconds. Drag the time "
           "slider back to see how the arms were found one after the other.",
           Settings(data="spiral", layers=(HIDDEN(16), HIDDEN(16)), rate=0.02, schedule="cosine", epochs=300), 60.0),
)
