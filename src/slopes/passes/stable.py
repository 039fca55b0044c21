"""Numerically stable forms of textbook formulas: no overflow, no cancellation.

Every rule gives the same number up to rounding where the old form was accurate, and a better one where it overflowed,
underflowed to a wrong limit, or cancelled; the comment of each says where that is.

Traced functions take derivatives of the better form as well: the pullback of log(sum(exp x)) is inf / inf where the value, once
rewritten, is finite. So the rules are applied a first time to a function before its pullback is built.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

from ..autodiff.repeat import depending
from ..graph.build import build, constant
from ..graph.dtype import is_float
from ..graph.node import Node
from ..graph.rewrite import Firing, Phase, rewrite
from ..graph.walk import topological
from ..ops.activations import sigmoid, softplus
from .arithmetic import pair
from .canonical import DIFFERENTIABLE
from .match import ONE_SOURCE_MOVES, core, holds, is_op, number, other

RISKS = {"log": 5000, "log1p": 2000, "divide": 100, "subtract": 50, "sqrt": 10}


def risk(node: Node) -> int:
    """The weight of a node in the measure: large for operations that can overflow or lose digits, 1 for all others."""
    if is_op(node, "exp"):
        return 1 if not_above_zero(node.args[0]) or is_shifted(node.args[0]) else 1000
    return RISKS.get(node.op.name, 1)


STABLE = Phase("stable", risk, once=True)
rule = STABLE.rule


def stable(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """The same values, computed so that they neither overflow nor cancel where that can be avoided."""
    return rewrite(roots, STABLE)


def stable_to_differentiate(roots: Sequence[Node], fixed: Iterable[Node] = ()) -> list[Node]:
    """The roots in the form in which they are differentiated: stable, and canonical except for aliases and stopped gradients.

    Graphs that are stable already stay as they are. So do `fixed` nodes, every alias (it marks the argument of a
    derivative), and all nodes without exponentials and roots: only rules about these change a derivative.
    """
    order = topological(roots)
    changing = depending(order, [node for node in order if is_op(node, "exp", "sqrt")]).difference(fixed)
    kept = [node for node in order if node not in changing or is_op(node, "alias")]
    firings: list[Firing] = []
    better = rewrite(rewrite(roots, DIFFERENTIABLE, fixed=kept), STABLE, log=firings, fixed=kept)
    return better if firings else list(roots)


@rule("log(exp(x)) = x", "log", example=pair(lambda a: (build("log", build("exp", a)), a)))
def log_exp(node):
    return node.args[0].args[0] if is_op(node.args[0], "exp") else None  # exp overflows beyond 88 in float32


@rule("log(1 + exp(x)) = softplus(x)", "log", example=pair(lambda a: (build("log", 1 + build("exp", a)), softplus(a))))
def log_one_plus_exp(node):
    exponential = other(node.args[0], 1) if is_op(node.args[0], "add") else None  # exp overflows; 1 + exp(-20) is 1
    return softplus(exponential.args[0]) if exponential is not None and is_op(exponential, "exp") else None


@rule("log1p(exp(x)) = softplus(x)", "log1p", example=pair(lambda a: (build("log1p", build("exp", a)), softplus(a))))
def log1p_exp(node):
    inner = node.args[0]
    if not is_op(inner, "exp") or not_above_zero(inner.args[0]):
        return None  # inside of softplus itself
    return softplus(inner.args[0])


def not_above_zero(node: Node) -> bool:
    """Whether a value is certainly zero or less: -|x|, also as where(x < 0, x, -x)."""
    if is_op(node, "negative"):
        return is_op(node.args[0], "abs")
    if not is_op(node, "where") or not is_op(node.args[0], "less") or not holds(node.args[0].args[1], 0):
        return False
    condition, low, high = node.args
    return low is condition.args[0] and high in (minus(low), -low)


def minus(x: Node) -> Node:
    """-x, without a second sign."""
    return x.args[0] if is_op(x, "negative") else -x


@rule("log(1 + x) = log1p(x), log(1 - x) = log1p(-x)", "log", example=pair(lambda a: (build("log", 1 + a), build("log1p", a))))
def log_one_plus(node):
    inner = node.args[0]  # digits of a small x are lost in 1 + x
    if is_op(inner, "add"):
        addend = other(inner, 1)
        return None if addend is None or is_op(addend, "exp") else build("log1p", addend)
    return build("log1p", -inner.args[1]) if is_op(inner, "subtract") and holds(inner.args[0], 1) else None


@rule("exp(x) - 1 = expm1(x)", "subtract", example=pair(lambda a: (build("exp", a) - 1, build("expm1", a))))
def exp_minus_one(node):
    a, b = node.args
    return build("expm1", a.args[0]) if is_op(a, "exp") and holds(b, 1) else None  # cancels near 0


@rule("-1 + exp(x) = expm1(x)", "add", example=pair(lambda a: (build("exp", a) + -1.0, build("expm1", a))))
def exp_plus_minus_one(node):
    addend = other(node, -1)
    return build("expm1", addend.args[0]) if addend is not None and is_op(addend, "exp") else None


@rule("1 - exp(x) = -expm1(x)", "subtract", example=pair(lambda a: (1 - build("exp", a), -build("expm1", a))))
def one_minus_exp(node):
    a, b = node.args
    return -build("expm1", b.args[0]) if is_op(b, "exp") and holds(a, 1) else None


@rule("1 - sigmoid(x) = sigmoid(-x)", "subtract", example=pair(lambda a: (1 - sigmoid(a), sigmoid(-a))))
def one_minus_sigmoid(node):
    x = sigmoid_argument(node.args[1]) if holds(node.args[0], 1) else None  # cancels for large x, where sigmoid is 1
    return sigmoid(minus(x)) if x is not None else None


@rule("log(sigmoid(x)) = -softplus(-x)", "log", example=pair(lambda a: (build("log", sigmoid(a)), -softplus(-a))))
def log_sigmoid(node):
    x = sigmoid_argument(node.args[0])  # sigmoid underflows to 0 below -88
    return -softplus(minus(x)) if x is not None else None


def sigmoid_argument(node: Node) -> Node | None:
    """x, when the node is sigmoid(x): 1 / (1 + exp(-x)) or exp(x) / (1 + exp(x)) as on paper, or as this library writes it."""
    if not is_op(node, "divide"):
        return None
    top, below = node.args
    x = one_plus_exp_argument(below)
    if x is not None and (holds(top, 1) or top is other(below, 1)):
        return x if top is other(below, 1) else minus(x)
    if is_op(top, "where") and is_op(top.args[0], "less"):
        x = top.args[0].args[0]
        return x if is_float(x.dtype) and sigmoid(x) is node else None
    return None


def one_plus_exp_argument(node: Node) -> Node | None:
    """x, when the node is 1 + exp(x) as on paper: one that can overflow."""
    exponential = other(node, 1) if is_op(node, "add") else None
    if exponential is None or not is_op(exponential, "exp") or not_above_zero(exponential.args[0]):
        return None
    return exponential.args[0]


@rule("y / (1 + exp(-x)) = y sigmoid(x), exp(x) / (1 + exp(x)) = sigmoid(x)", "divide",
      example=pair(lambda a: (1 / (1 + build("exp", -a)), sigmoid(a))))
def paper_sigmoid(node):
    x = one_plus_exp_argument(node.args[1])  # its derivative is NaN where exp overflows
    if x is None:
        return None
    if (whole := sigmoid_argument(node)) is not None:
        return sigmoid(whole)
    return -sigmoid(minus(x)) if holds(node.args[0], -1) else node.args[0] * sigmoid(minus(x))


@rule("log1p(-sigmoid(x)) = -softplus(x)", "log1p", example=pair(lambda a: (build("log1p", -sigmoid(a)), -softplus(a))))
def log1p_minus_sigmoid(node):
    inner = node.args[0]  # 1 - sigmoid underflows to 0 beyond 17
    x = sigmoid_argument(inner.args[0]) if is_op(inner, "negative") else None
    return -softplus(x) if x is not None else None


@rule("log(exp(x) / s) = x - log(s) for a positive s: the logarithm of a softmax", "log",
      example=pair(lambda a: (build("log", paper_softmax(a)), a - spread(build("log", total(a)), a))))
def log_ratio(node):
    ratio = node.args[0]  # exp underflows to 0, whose log is -inf
    if not is_op(ratio, "divide") or not is_op(ratio.args[0], "exp") or not positive(ratio.args[1]):
        return None
    return ratio.args[0].args[0] - inward(ratio.args[1])


@rule("log(c exp(x)) = log(c) + x, and likewise for sums of exponentials and for log(exp(x) / c)", "log",
      example=pair(lambda a: (build("log", total(a) / 3.0), build("log", total(a)) - math.log(3.0))))
def log_scaled(node):
    inner = node.args[0]  # the exponentials are then seen: they overflow, and underflow to 0, whose log is -inf
    if not is_op(inner, "multiply", "divide"):
        return None
    x, factor = inner.args if number(inner.args[1]) is not None else inner.args[::-1]
    scale = number(factor)
    if scale is None or not 0 < scale < math.inf or not positive(x) or (is_op(inner, "divide") and factor is not inner.args[1]):
        return None
    moved = inward(x)
    return moved + math.log(scale) if is_op(inner, "multiply") else moved - math.log(scale)


def inward(node: Node) -> Node:
    """The logarithm of a node, taken before the moves that only repeat it."""
    moves = []
    while is_op(node, "expand", "reshape"):
        moves.append(node)
        node = node.args[0]
    result = build("log", node)
    for move in reversed(moves):
        result = move.op.make(result, **move.params)
    return result


def positive(node: Node) -> bool:
    """Whether a value is certainly positive (or has underflowed to 0): exponentials and their sums."""
    node = core(node)
    while is_op(node, "sum"):
        node = core(node.args[0])
    return is_op(node, "exp")


@rule("log(sum(exp(x))) = m + log(sum(exp(x - m))), m = max(x)", "log",
      example=pair(lambda a: (build("log", total(a)), shifted_log(a, (1,)))))
def log_sum_exp(node):
    inner = node.args[0]  # overflows as soon as one x is beyond 88
    if not is_op(inner, "sum") or not is_op(inner.args[0], "exp"):
        return None
    x, axes = inner.args[0].args[0], inner.params["axes"]
    if is_shifted(x) or any(x.shape[axis] == 0 for axis in axes):
        return None
    return shifted_log(x, axes)


@rule("log(move(x)) = move(log(x)) where that logarithm has a stable form: log(sum(exp(x), keepdims=True))", "log",
      example=pair(lambda a: (build("log", kept(total(a))), kept(shifted_log(a, (1,))))))
def log_moved(node):
    moves, inner = [], node.args[0]
    while is_op(inner, *ONE_SOURCE_MOVES):
        moves.append(inner)
        inner = inner.args[0]
    logarithm = build("log", inner)
    result = next((better for rule in LOGARITHMS if (better := rule(logarithm)) is not None), None) if moves else None
    for move in reversed(moves) if result is not None else ():
        result = move.op.make(result, **move.params)
    return result


LOGARITHMS = (log_exp, log_one_plus_exp, log_sigmoid, log_ratio, log_scaled, log_sum_exp)


def shifted_log(x: Node, axes: tuple[int, ...]) -> Node:
    """log(sum(exp(x))) with the largest element taken out (0 where that is infinite)."""
    largest = build("stop_gradient", build("max", x, axes=axes))
    shift = build("where", build("isfinite", largest), largest, constant(0, x.dtype))
    kept = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
    low = x - build("expand", build("reshape", shift, shape=kept), shape=x.shape)
    return build("log", build("sum", build("exp", low), axes=axes)) + shift


def is_shifted(x: Node) -> bool:
    """Whether a largest element has been subtracted already."""
    if not is_op(x, "subtract"):
        return False
    node = x.args[1]
    while is_op(core(node), "stop_gradient", "alias", "where"):
        node = core(node).args[1 if is_op(core(node), "where") else 0]
    return is_op(core(node), "max")


@rule("sqrt(x x) = |x|", "sqrt", example=pair(lambda a: (build("sqrt", a * a), abs(a))))
def root_of_square(node):
    inner = node.args[0]  # x x overflows and underflows; the derivative at 0 is 0 / 0
    return abs(inner.args[0]) if is_op(inner, "multiply") and inner.args[0] is inner.args[1] and is_float(node.dtype) else None


@rule("sqrt(exp(x)) = exp(x / 2)", "sqrt", example=pair(lambda a: (build("sqrt", build("exp", a)), build("exp", a * 0.5))))
def root_of_exp(node):
    inner = node.args[0]  # exp overflows, and underflows to 0, where the root's derivative is infinite
    return build("exp", inner.args[0] * 0.5) if is_op(inner, "exp") and is_float(node.dtype) else None


@rule("x / sqrt(x) = sqrt(x)", "divide", example=pair(lambda a: (a / build("sqrt", a), build("sqrt", a))))
def over_root(node):
    a, b = node.args
    return b if is_op(b, "sqrt") and b.args[0] is a else None  # 0 / 0 and inf / inf, where the limits are 0 and inf


@rule("1 / sqrt(x) = rsqrt(x)", "divide", example=pair(lambda a: (1 / build("sqrt", a), build("rsqrt", a))))
def one_over_root(node):
    a, b = node.args
    return build("rsqrt", b.args[0]) if is_op(b, "sqrt") and holds(a, 1) else None


def total(x: Node) -> Node:
    """sum(exp(x)) over the last axis, for examples."""
    return build("sum", build("exp", x), axes=(x.ndim - 1,))


def kept(row: Node) -> Node:
    return build("reshape", row, shape=(*row.shape, 1))


def spread(row: Node, x: Node) -> Node:
    return build("expand", kept(row), shape=x.shape)


def paper_softmax(x: Node) -> Node:
    """exp(x) / sum(exp(x)) as on paper, for examples."""
    return build("exp", x) / spread(total(x), x)
