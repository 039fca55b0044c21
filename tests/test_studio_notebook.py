"""sl.play: a network and points in the playground's terms, its own server, and what a notebook shows."""

from __future__ import annotations

import contextlib
import io
import re
import urllib.request

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

import slopes as sl
from slopes import nn
from slopes.plot import View as Plotted
from slopes.studio.engine import Context
from slopes.studio.messages import Attached
from slopes.studio.playground.engine import Playground
from slopes.studio.playground.messages import Configure, TakeHome
from slopes.studio.playground.settings import Settings
from slopes.studio.user_network import read_network
from slopes.studio.user_playground import USER_NETWORK, make_playground

X = np.random.default_rng(0).uniform(-5, 5, (40, 2)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)


def network(*more):
    return nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.25), *more, nn.Linear(6, 2))


def test_networks_and_data_become_settings():
    settings = read_network(network(nn.Linear(6, 6)), (X, Y), rate=0.1, optimizer="SGD", seed=np.int64(3)).settings
    assert [(layer.width, layer.activation, layer.batch_norm, layer.dropout) for layer in settings.layers] == [
        (6, "ReLU", True, 0.25), (6, "linear", False, 0.0)]
    assert (settings.problem, settings.data, settings.rate, settings.optimizer, settings.seed) == ("classification", "own", 0.1, "SGD", 3)
    np.testing.assert_array_equal(np.array(settings.points), np.column_stack([X, Y]))
    assert read_network(nn.Sequential(nn.Linear(2, 1)), sl.data.Dataset(X, X[:, 0])).settings.problem == "regression"


def test_looking_at_a_network_draws_no_random_numbers():
    drawn = []
    net = nn.Sequential(nn.Linear(2, 2))
    for look in (lambda: None, lambda: read_network(net, (X, Y))):
        sl.seed(5)
        look()
        drawn.append(float(sl.uniform(()).numpy()))
    assert drawn[0] == drawn[1]


def test_other_networks_and_data_are_refused():
    small = nn.Sequential(nn.Linear(2, 2))
    for net, data, more, words in (
            (nn.Linear(2, 2), (X, Y), {}, "cannot show this Linear"), (nn.Sequential(nn.ReLU()), (X, Y), {}, "cannot show"),
            (nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.ReLU(), nn.Linear(4, 2)), (X, Y), {}, "ReLU.. is none of these"),
            (nn.Sequential(nn.Linear(2, 4), nn.LeakyReLU(0.3), nn.Linear(4, 2)), (X, Y), {}, "none of these"),
            (nn.Sequential(nn.Linear(2, 4, bias=False), nn.Linear(4, 2)), (X, Y), {}, "with these settings"),
            (nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 1)), (X, Y), {}, r"nn.Linear\(4, 2\)"), (small, X, {}, "a pair"),
            (small, (np.zeros((5, 3)), Y[:5]), {}, r"shape \(5, 3\)"), (small, (X, Y[:5]), {}, "for 40 inputs"),
            (small, (X * 10, Y), {}, "scale them"), (small, (X, Y + 9), {}, "classes from 9"), (small, (X * np.nan, Y), {}, "not finite"),
            (small, (np.zeros((6000, 2)), np.zeros(6000, int)), {}, "6,000 points"), (small, (X, Y), {"layers": ()}, "cannot be chosen"),
            (small, (X, Y), {"rate": -1}, "rate must be"), (small, (X, Y), {"speed": 1}, "unknown fields"),
            (nn.Sequential(nn.Linear(2, 2)).double(), (X, Y), {}, "float64")):
        with pytest.raises(sl.SlopesError, match=words):
            read_network(net, data, **more)


def test_the_playground_begins_with_the_weights_and_leaves_the_network_alone(tmp_path, monkeypatch):
    net = network()
    state = {name: value.copy() for name, value in net.state_dict().items()}
    engine = make_playground(Context(shared={USER_NETWORK: read_network(net, (X, Y), batch=20)}))

    def begins_with_the_weights():
        now = engine.experiment.net.state_dict()
        return all(now[name].tobytes() == value.tobytes() for name, value in state.items())

    assert begins_with_the_weights() and engine.handle(Attached()).header["settings"]["data"] == "own"
    engine.experiment.advance(0.01, 2)
    assert engine.experiment.last == 2 and not begins_with_the_weights()
    losses, text = list(engine.experiment.history.losses), engine.handle(TakeHome("program")).header["text"]
    engine.experiment.seek(0)
    assert begins_with_the_weights()
    monkeypatch.chdir(tmp_path)
    sl.files.save_safetensors("first-weights.safetensors", state)
    program: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(text, program)
    assert program["training"].history.losses == losses
    assert all(net.state_dict()[name].tobytes() == value.tobytes() for name, value in state.items())
    with pytest.raises(sl.SlopesError, match="a link cannot hold"):
        engine.handle(TakeHome("link"))
    engine.handle(Configure(Settings()))
    assert "first-weights" not in engine.handle(TakeHome("program")).header["text"]
    assert type(make_playground(Context())) is Playground


def test_a_notebook_shows_the_page_of_its_own_server():
    net = network()
    view = sl.play(net, (X, Y))
    other = sl.play(net, (X, Y))
    shown = other._repr_html_()
    address = re.search(r'src="([^"]+)"', shown).group(1)
    assert address == other.url and address.startswith("http://127.0.0.1:") and "token=" in address
    with urllib.request.urlopen(address) as page:
        policy = page.headers["content-security-policy"]
        assert page.status == 200 and "frame-ancestors 'self' http://localhost:*" in policy
    assert "stopped" in view._repr_html_() and "stopped" in repr(view)  # a second call for the same network ends the first
    other.stop()
    other.stop()
    assert "stopped" in other._repr_html_()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address)


def test_what_inside_draws_shows_itself():
    table = sl.inside.Confusion.counted(np.array([0, 1, 1]), np.array([0, 1, 0]), ("a", "b"))
    assert isinstance(table, Plotted) and table._repr_svg_().lstrip().startswith("<?xml")
    kinds = [kind for kind in map(vars(sl.inside).get, sl.inside.__all__) if isinstance(kind, type)]
    assert len(kinds) > 10 and all(issubclass(kind, Plotted) for kind in kinds)
