"""Pictures and explanations: the published numbers, every value drawn once, no box over another, well-formed SVG."""

from __future__ import annotations

import itertools
import random
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, GradientError
from slopes.graph.text import parse
from slopes.view import layout
from slopes.view.graph import Panel, make_panels

SVG = "{http://www.w3.org/2000/svg}"


def circuit(x, y, z):
    q = x + y
    return q * z


def olah(a, b):
    c = a + b
    d = b + 1
    return c * d


def goldberg(a, b):
    return (a * b + 1) * (a * b + 2)


def neuron(w0, x0, w1, x1, w2):
    return 1 / (1 + sl.exp(-(w0 * x0 + w1 * x1 + w2)))


def maximum_circuit(x, y, z, w):
    return 2 * (x * y + sl.maximum(z, w))


def cs231n_function(x, y):
    return (x + sigmoid(y)) / (sigmoid(x) + (x + y) ** 2)


def sigmoid(x):
    return 1 / (1 + sl.exp(-x))


GOLDEN = [  # function, inputs, result, gradients
    (circuit, (-2, 5, -4), -12, (-4, -4, 3)),
    (olah, (2, 1), 6, (2, 5)),
    (goldberg, (2, 3), 56, (45, 30)),
    (neuron, (2, -1, -3, -2, -3), 0.731059, (-0.196612, 0.393224, -0.393224, -0.589836, 0.196612)),
    (maximum_circuit, (3, -4, 2, -1), -20, (-8, 6, 2, 0)),
    (cs231n_function, (3, -4), 1.5456448841066441, (2.0595697955721652, 1.5922327514838093)),
]


@pytest.mark.parametrize("f, inputs, result, gradients", GOLDEN, ids=lambda each: getattr(each, "__name__", ""))
def test_explain_gives_the_published_numbers(f, inputs, result, gradients):
    shown = sl.explain(f, *inputs)
    names = list(f.__code__.co_varnames[:f.__code__.co_argcount])
    assert float(shown.values[f.__name__]) == pytest.approx(result, rel=2e-6)
    assert [float(shown.gradients[name]) for name in names] == pytest.approx(gradients, rel=2e-6)


@pytest.mark.parametrize("f, inputs", [(each[0], each[1]) for each in GOLDEN], ids=lambda each: getattr(each, "__name__", ""))
def test_every_gradient_is_the_sum_of_the_products_that_arrive(f, inputs):
    shown = sl.explain(f, *inputs)
    arrived: dict = {}
    for step in shown.steps:
        assert step.product == pytest.approx(step.upstream * step.local, rel=1e-9)
        arrived[step.arg] = arrived.get(step.arg, 0) + step.product
    for node, total in arrived.items():
        assert shown.gradient_of[node] == pytest.approx(total, rel=1e-9)


def test_the_table_of_the_cs231n_circuit():
    assert sl.explain(circuit, -2, 5, -4).text == """\
node                      value  d circuit / d node
---------------------------------------------------
x                            -2                  -4
y                             5                  -4
q = add(x, y)                 3                  -4
z                            -4                   3
circuit = multiply(q, z)    -12                   1

backwards     upstream  local  product
--------------------------------------
circuit -> q         1     -4       -4
circuit -> z         1      3        3
q -> x              -4      1       -4
q -> y              -4      1       -4"""


def network_221(x1, x2, w11, w12, w21, w22, b1, b2, v1, v2, c):
    h1 = sl.tanh(w11 * x1 + w12 * x2 + b1)
    h2 = sl.tanh(w21 * x1 + w22 * x2 + b2)
    return v1 * h1 + v2 * h2 + c


def test_the_221_network_agrees_with_backward_and_is_drawn_without_overlap():
    inputs = [0.5, -1.0, 0.1, 0.2, 0.3, -0.4, 0.05, -0.05, 0.7, -0.6, 0.1]
    shown = sl.explain(network_221, *inputs)
    tensors = [sl.tensor(value, dtype="float64", requires_grad=True) for value in inputs]
    network_221(*tensors).backward()
    names = network_221.__code__.co_varnames[:11]
    assert [float(shown.gradients[name]) for name in names] == pytest.approx([float(each.grad) for each in tensors], rel=1e-12)
    assert {"h1", "h2"} <= set(shown.values)
    check_svg(shown.svg)


def test_explain_of_arrays_shows_jacobians_and_the_chain_rule_holds():
    def loss(W, x):
        y = W @ x
        return (y * y).sum()
    shown = sl.explain(loss, np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -1.0]))
    assert shown.gradients["W"].tolist() == [[-2.0, 2.0], [-2.0, 2.0]]
    assert shown.gradients["x"].tolist() == [-8.0, -12.0]
    jacobians = [step for step in shown.steps if step.node.op.kind == "contract"]
    assert jacobians
    for step in jacobians:
        assert np.tensordot(step.upstream, step.local, axes=step.upstream.ndim) == pytest.approx(step.product)


def test_an_argument_used_twice_has_two_wires_each_with_its_own_label():
    shown = sl.explain(lambda x: x**x, 2.0)
    assert [float(step.product) for step in shown.steps] == pytest.approx([4.0, 4.0 * np.log(2.0)])
    assert "local 4<" in shown.svg and "local 2.773<" in shown.svg


def test_explain_wants_one_number():
    with pytest.raises(GradientError, match="one number"):
        sl.explain(lambda x: x * 2, np.ones(3))


# Graphs

def test_a_shared_value_is_one_box():
    shown = sl.graph(goldberg, 2.0, 3.0)
    assert [node.op.name for node in parse(shown.listing)[0].args] == ["add", "add"]
    assert shown.listing.count("= multiply") == 2  # a * b once, and the product of the sums


def test_the_text_of_a_graph_reads_back_as_the_same_nodes():
    shown = sl.graph(circuit, -2.0, 5.0, -4.0, backward=True)
    assert parse(shown.listing) == shown.roots


def test_inputs_outputs_and_local_variables_are_named():
    shown = sl.graph(circuit, -2.0, 5.0, -4.0, backward=True)
    assert set(shown.gradients) == {"x", "y", "z"}
    assert {"x", "y", "z", "q"} <= set(shown.recording.names.values())
    assert "# inputs: x = %0, y = %1, z = %3" in shown.text


def mlp():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def test_a_module_names_its_parameters_and_gets_a_backward_pass():
    net = mlp()

    def loss(x, labels):
        return nn.cross_entropy(net(x), labels)
    shown = sl.graph(loss, sl.zeros((5, 4)), sl.asarray(np.zeros(5, np.int64)))
    assert set(shown.gradients) == {"net.0.weight", "net.0.bias", "net.2.weight", "net.2.bias"}
    assert "backward" in shown.svg
    check_svg(shown.svg)


def step_of(net):
    """A training step of a classifier."""
    optimizer = optim.SGD(net.parameters(), lr=0.1)

    def step(x, labels):
        loss = nn.cross_entropy(net(x), labels)
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_training_step_shows_the_new_weights():
    net = mlp()
    before = net.state_dict()
    shown = sl.graph(step_of(net), sl.ones((5, 4)), sl.asarray(np.zeros(5, np.int64)))
    assert sum(name.startswith("new ") for name in shown.recording.names.values()) >= 4
    assert all((before[name] == array).all() for name, array in net.state_dict().items()), "looking must not train"
    check_svg(shown.svg)


def test_a_large_graph_shows_one_box_per_layer():
    net = nn.Sequential(*[each for _ in range(12) for each in (nn.Linear(6, 6), nn.Tanh())])
    shown = sl.graph(lambda x: net(x).sum(), sl.ones((2, 6)), limit=30)
    assert "The operations of one layer or function are one box here" in shown.svg
    assert "Linear(6" in shown.svg


def test_counts_that_only_layers_use_stay_inside_their_boxes():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Conv2d(2, 2, 3), nn.MaxPool2d(2), nn.Flatten())
    few, all_of_them = (sl.graph(lambda x: net(x).sum(), sl.zeros((2, 1, 14, 14)), limit=limit) for limit in (10, 1000))
    assert "iota" in few.listing
    assert "iota" not in re.sub("<title>.*?</title>", "", few.svg, flags=re.DOTALL)
    assert "iota" in re.sub("<title>.*?</title>", "", all_of_them.svg, flags=re.DOTALL)
    check_svg(few.svg)


def texts_at(svg):
    """Every text of the picture, with its position."""
    drawn = ElementTree.fromstring(svg).iter(f"{SVG}text")
    return {each.text.replace("\xa0", " "): (float(each.get("x")), float(each.get("y"))) for each in drawn}


def test_time_runs_from_left_to_right_and_each_step_is_one_box():
    cell = nn.RNNCell(3, 4)

    def unrolled(x, h_0):
        h_1 = cell(x[:, 0], h_0)
        h_2 = cell(x[:, 1], h_1)
        return h_2
    svg = sl.graph(unrolled, sl.zeros((1, 2, 3)), sl.zeros((1, 4)), limit=6, direction="right").svg
    texts = texts_at(svg)
    steps = [next(x for text, (x, _) in texts.items() if text.split(" = ")[0] == name) for name in ("h_0", "h_1", "h_2")]
    assert steps == sorted(set(steps)) and sum("RNNCell" in text for text in texts) == 2
    assert "weight" not in " ".join(texts), "parameters of one layer stay inside of its boxes"
    check_svg(svg)
    with pytest.raises(ArgumentError, match="direction is 'up'"):
        sl.graph(unrolled, sl.zeros((1, 2, 3)), sl.zeros((1, 4)), direction="up")


@pytest.mark.parametrize("direction", ["down", "right"])
def test_a_loss_outside_of_layers_is_one_box_forward_and_one_backward(direction):
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))

    def loss(x, labels):
        scores = net(x)
        return nn.cross_entropy(scores, labels)
    svg = sl.graph(loss, sl.ones((2, 4)), np.zeros(2, int), limit=12, direction=direction).svg
    titles = [each.text for each in ElementTree.fromstring(svg).iter(f"{SVG}text") if "cross_entropy" in each.text]
    assert titles == ["loss = cross_entropy", "cross_entropy"]
    check_svg(svg)


def test_the_two_passes_are_equally_long_and_a_legend_has_each_word_once():
    arrays = [np.ones(shape, np.float32) for shape in ((8, 4), (4, 5), (5, 3))]
    shown = sl.graph(lambda x, w, v: (sl.tanh(x @ w) @ v).sum(), *arrays, backward=True)
    forward, backward = make_panels(shown, shown.naming)[0]
    assert forward.height == pytest.approx(backward.height)
    legend = [each.text for each in ElementTree.fromstring(shown.svg).iter(f"{SVG}text")]
    assert legend.count("gradient") == 1


def test_products_of_matrices_are_called_matmul():
    arrays = [np.ones(shape, np.float32) for shape in ((8, 4), (4, 5))]
    titles = set(texts_at(sl.graph(lambda a, b: a @ b, *arrays, backward=True).svg))
    assert any(title.endswith("matmul") for title in titles)
    gradients = {title.split(" = ")[1] for title in titles if title.startswith("∂/∂") and "matmul" in title}
    assert gradients == {"matmul(·, bᵀ)", "matmul(aᵀ, ·)"}
    other = texts_at(sl.graph(lambda a, b: sl.einsum("ijk,kl->ijl", a, b), np.ones((2, 3, 4), np.float32), arrays[1]).svg)
    assert any("contract" in title for title in other), "three axes are no product of matrices"


def test_a_tied_layer_makes_no_cycle():
    layer = nn.Linear(3, 3)

    def f(x):
        return layer(sl.exp(layer(sl.exp(layer(x))))).sum()
    check_svg(sl.graph(f, sl.ones((1, 3)), limit=3).svg)


def test_a_huge_graph_is_drawn_in_part_and_says_so():
    def f(x):
        for _ in range(2000):
            x = sl.sin(x)
        return x
    shown = sl.graph(f, 1.0, backward=False)
    assert "are not drawn" in shown.svg
    assert shown.listing.count("sin") == 2000


def test_functions_without_tensors_and_files_of_unknown_kind_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="holds no tensor"):
        sl.graph(lambda x: 3, 1.0)
    with pytest.raises(ArgumentError, match="cannot be saved"):
        sl.graph(circuit, 1.0, 2.0, 3.0).save(tmp_path / "graph.png")


def test_saving_writes_the_picture_or_the_text(tmp_path):
    shown = sl.graph(circuit, 1.0, 2.0, 3.0)
    assert shown.save(tmp_path / "g.svg").read_text(encoding="utf-8") == shown.svg == shown._repr_svg_()
    assert shown.save(tmp_path / "g.txt").read_text(encoding="utf-8") == shown.text + "\n"


def test_drawn_again_the_picture_is_the_same():
    net = mlp()

    def drawn(limit):
        return sl.graph(lambda x: net(x).sum(), sl.ones((2, 4)), limit=limit).svg
    assert "serial" not in drawn(100)
    assert drawn(100) == drawn(100)
    assert drawn(3) == drawn(3)


def test_names_are_escaped():
    shown = sl.graph(lambda x: {"a<b": x + 1}, sl.ones(2))
    check_svg(shown.svg)


# What a picture must satisfy

def check_svg(svg):
    """It parses, all boxes lie inside it, and no two boxes overlap."""
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    drawn = [each for each in root.iter(f"{SVG}rect") if each.get("x")]
    boxes = [tuple(float(each.get(key)) for key in ("x", "y", "width", "height")) for each in drawn]
    assert boxes or "not drawn" in svg
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)
    for (x, y, w, h), (p, q, r, s) in itertools.combinations(boxes, 2):
        assert x + w <= p or p + r <= x or y + h <= q or q + s <= y, "two boxes overlap"
    assert not re.search(r"nan|inf\b", svg.split("<defs>")[0])


def test_no_box_of_a_panel_overlaps_another():
    shown = sl.graph(network_221, *[0.1] * 11, backward=True)
    for panel in make_panels(shown, shown.naming)[0]:
        assert isinstance(panel, Panel)
    check_svg(shown.svg)


def test_edges_of_a_layout_go_down_and_boxes_keep_their_distance():
    rng = random.Random(0)
    keys = list(range(40))
    edges = [(a, b) for a, b in itertools.combinations(keys, 2) if rng.random() < 0.07]
    found = layout.arrange(keys, edges, lambda key: 50.0, lambda key: 20.0, gap=10.0)
    assert all(found.along[a] < found.along[b] for a, b in edges)
    for layer in found.layers:
        wide = [4.0 if isinstance(key, layout.Dummy) else 50.0 for key in layer]
        apart = [b - a for a, b in itertools.pairwise(found.across[key] for key in layer)]
        assert all(gap >= (a + b) / 2 + 9.99 for gap, (a, b) in zip(apart, itertools.pairwise(wide)))
    assert {key for layer in found.layers for key in layer if isinstance(key, int)} == set(keys)


def test_the_order_of_a_layout_has_no_needless_crossings():
    keys = ["a", "b", "c", "d", "e", "f"]
    found = layout.arrange(keys, [("a", "f"), ("b", "e"), ("c", "d")], lambda key: 10.0, lambda key: 10.0)
    _, below = layout.neighbours(found.routes)
    assert layout.crossings(found.layers, below) == 0


def test_inversions_are_counted():
    rng = random.Random(1)
    for size in (0, 1, 2, 5, 33):
        values = [rng.randrange(10) for _ in range(size)]
        assert layout.inversions(values) == sum(a > b for a, b in itertools.combinations(values, 2))


def test_a_circuit_too_large_to_read_says_so():
    def f(x):
        for _ in range(200):
            x = sl.sin(x)
        return x
    assert "too many for a circuit" in sl.explain(f, 1.0).svg


class Classifier(nn.Module):
    """A network that calls a function by itself, beside layers that call some inside."""

    def __init__(self):
        self.hidden, self.scores = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x):
        return sl.softmax(self.scores(sl.gelu(self.hidden(x))), axis=1)


def test_functions_that_a_network_calls_are_boxes_and_those_inside_of_layers_are_not():
    titles = set(texts_at(sl.graph(Classifier(), sl.ones((2, 4)), limit=6, backward=False).svg))
    assert {"net.hidden  Linear(4 -> 5)", "net.scores  Linear(5 -> 3)", "gelu", "Classifier = softmax"} <= titles
    assert "affine" not in titles
    assert "<title>softmax(axis=1)" in sl.graph(Classifier(), sl.ones((2, 4)), limit=6, backward=False).svg


def test_a_net_of_nets_is_drawn_at_the_depth_that_fits():
    net = nn.Sequential(*[nn.Sequential(nn.Linear(3, 3), nn.Tanh()) for _ in range(4)])
    deep, shallow = (set(texts_at(sl.graph(net, sl.ones((2, 3)), limit=limit, backward=False).svg)) for limit in (12, 5))
    assert any(title.startswith("net[0][1]") for title in deep)
    assert any(title.startswith("net[0]  Sequential") for title in shallow) and not any("net[0][" in title for title in shallow)


def test_a_training_step_has_boxes_of_its_layers_forward_and_backward():
    net = mlp()
    svg = sl.graph(step_of(net), sl.ones((5, 4)), np.zeros(5, np.int64), limit=20).svg
    texts = [each.text.replace("\xa0", " ") for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert texts.count("net[2]  Linear(8 -> 3)") == 2, "its forward and its backward pass"
    assert any(text.endswith("gradient operations") for text in texts)
    check_svg(svg)


def test_arrays_outside_of_the_function_are_named_state():
    table = np.ones(3, np.float32)
    shown = sl.graph(lambda x: x * table, sl.ones(3))
    assert "# states: table = %1" in shown.text


def test_a_function_that_no_program_can_run_is_drawn():
    shown = sl.graph(lambda x: (x * 1j, object()), sl.ones(2), backward=False)
    assert "complex64" in shown.text
    assert sl.graph(lambda x: x * np.random.rand(), sl.ones(2)).outputs[0].op.name == "multiply"


def test_a_chain_of_boxes_stands_close_together():
    net = nn.Sequential(*[nn.Tanh() for _ in range(6)])
    size = {name: float(ElementTree.fromstring(sl.graph(f, sl.ones((2, 3)), backward=False, limit=1000).svg).get("height"))
            for name, f in (("chain", net), ("wide", lambda x: net(x) + sl.exp(x) + sl.sin(x) + sl.cos(x)))}
    assert size["chain"] < 0.8 * size["wide"]
