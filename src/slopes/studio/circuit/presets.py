"""Texts to begin with, each with a paragraph that guides the eye."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """A text with its title, and what to look at."""

    name: str
    title: str
    about: str
    text: str


PRESETS = {preset.name: preset for preset in (
    Preset("product", "(x + y) z",
           "The first circuit of Stanford's CS231n. The sum gate passes its gradient on to both of its inputs; the product gate "
           "exchanges: each input receives the gradient times the other input. Change x to 2 and see that only z's gradient changes, "
           "as only z meets the sum.",
           "f = q * z\n"
           "q = x + y\n"
           "x = -2; y = 5; z = -4"),
    Preset("neuron", "Sigmoid neuron",
           "A neuron written out. Follow one gradient backwards: 1/x turns 1 into -0.53, the sum leaves it, exp multiplies it by 0.37, "
           "the sign turns it: the product, 0.196612, is sigmoid's own slope s (1 - s). Make w2 = 5: the neuron saturates and all "
           "gradients vanish.",
           "f = 1 / (1 + exp(-(w0 * x0 + w1 * x1 + w2)))\n"
           "w0 = 2; w1 = -3; w2 = -3\n"
           "x0 = -1; x1 = -2"),
    Preset("max", "Max gate",
           "The max gate is a switch: the larger input gets the whole gradient, the other one nothing, and a small change of w changes "
           "nothing at all. Raise w above z and watch the gradient jump.",
           "f = 2 * (x * y + max(z, w))\n"
           "x = 3; y = -4; z = 2; w = -1"),
    Preset("reuse", "A variable used twice",
           "(ab + 1)(ab + 2), from Goldberg's tutorial. The product c is used by two gates, so two gradients arrive at c and are "
           "added: 8 + 7 = 15. Step through with Next and watch the sum grow.",
           "f = (c + 1) * (c + 2)\n"
           "c = a * b\n"
           "a = 2; b = 3"),
    Preset("softmax", "Softmax and cross-entropy",
           "The gradient at the logits is p - y: the probabilities, less 1 for the right class. The steps from f back to z have "
           "unwieldy slopes, but their product is simple. Make z[2] large: the loss and all gradients go to 0.",
           "p = softmax(z)\n"
           "f = -log(p[2])\n"
           "z = [1, 2, 3]"),
    Preset("network", "Two-layer network",
           "One training example through two layers of sigmoid units with squared error: M. Mazur's well-known example. E is 0.298371. "
           "The gradients of W1 are a hundred times smaller than those of W2: each sigmoid on the way multiplies by at most 1/4.",
           "E = sum(square(t - o)) / 2\n"
           "o = sigmoid(W2 @ h + b2)\n"
           "h = sigmoid(W1 @ x + b1)\n"
           "x = [0.05, 0.1]; t = [0.01, 0.99]\n"
           "W1 = [[0.15, 0.2], [0.25, 0.3]]; b1 = 0.35\n"
           "W2 = [[0.4, 0.45], [0.5, 0.55]]; b2 = 0.6"),
    Preset("functions", "Functions of your own",
           "def makes a function, which is drawn as one gate. Open functions shows what is inside, and the gradients of x and y stay "
           "the same.",
           "def s(t): return 1 / (1 + exp(-t))\n"
           "f = (x + s(y)) / (s(x) + (x + y)**2)\n"
           "x = 3; y = -4"),
)}
FIRST = "product"
