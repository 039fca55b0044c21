"""`sl.load`: runs of any kind as objects that predict."""

from __future__ import annotations

import numpy as np
import pytest
from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)

import slopes as sl
from slopes import nn
from slopes.errors import ArgumentError, DataError
from slopes.train.history import History, Run
from slopes.train.runs import save_run

INPUTS = np.arange(8, dtype=np.float32).reshape(4, 2)


def small(width=3):
    return nn.Sequential(nn.Linear(2, width), nn.Dropout(0.5), nn.Linear(width, 1))


@pytest.fixture
def own(tmp_path):
    """A run of a net that no recipe knows, and the net."""
    sl.seed(3)
    net = small()
    return save_run(Run(net, History([1.0], [], 2.0)), tmp_path / "own", hyperparameters={"rate": 0.5}, seed=4), net


def test_a_net_of_ones_own_gets_the_weights_and_predicts(own):
    folder, net = own
    run = sl.load(folder, small())
    assert run.predict(INPUTS).tolist() == net.eval()(sl.tensor(INPUTS)).numpy().tolist()
    assert (run.settings, run.seed, run.history.losses, run.recipe) == ({"rate": 0.5}, 4, [1.0], "")
    assert run.net is run.networks[""] and not run.net.training and run.figures == {}


def test_without_the_net_all_but_predictions_is_there(own):
    run = sl.load(own[0])
    assert run.settings == {"rate": 0.5} and run.networks == {} and run.record.network.weights["0.weight"].shape == (3, 2)
    for use in (lambda: run.predict(INPUTS), lambda: run.net):
        with pytest.raises(ArgumentError) as caught:
            use()
        assert str(caught.value).replace(str(own[0]), "OWN").startswith("""\
OWN has no network to predict with
  it holds the weights and what layers they are of, but not the code that builds the net
  make the net as for the training, and give it to load: sl.load('OWN', net)""")
    result = slopes("predict", own[0], "1")
    assert result.exit_code == 1 and "has no network to predict with" in result.stderr


def test_another_net_is_refused_and_unchanged(own):
    other = small(4)
    before = other.state_dict()
    with pytest.raises(ArgumentError, match=r"the net is not the one that .*own has the weights of\n  net\.0 is Linear\(2 -> 4\) here, "
                                            r"Linear\(2 -> 3\) there"):
        sl.load(own[0], other)
    assert all((other.state_dict()[name] == array).all() for name, array in before.items())


def test_several_nets_are_loaded_by_name(tmp_path):
    nets = {"deep": small(), "wide": small(5)}
    folder = save_run({name: Run(net, History([float(i)], [], 2.0)) for i, (name, net) in enumerate(nets.items())}, tmp_path / "two")
    run = sl.load(folder, {"wide": small(5), "deep": small()})
    assert run.networks["wide"].state_dict()["2.bias"] == nets["wide"].state_dict()["2.bias"]
    assert {name: history.losses for name, history in run.histories.items()} == {"deep": [0.0], "wide": [1.0]}
    for net in (small(), {"deep": small()}):
        with pytest.raises(ArgumentError, match="holds 2 networks: 'deep', 'wide'\n"):
            sl.load(folder, net)


def test_a_damaged_folder_and_a_wrong_path_are_errors(own, tmp_path):
    (own[0] / "weights.safetensors").write_bytes(b"")
    with pytest.raises(DataError):
        sl.load(own[0])
    with pytest.raises(DataError, match="there is no such folder"):
        sl.load(tmp_path / "nowhere")


def test_a_run_names_itself(own):
    assert repr(sl.load(own[0])) == f"<NetRun {own[0]}, fit>"
