"""The fuzzer of everything public: it leaves nothing out, finds what is wrong, and finds nothing in a sample."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from fuzz import campaign, functions, layers, transforms
from fuzz.comparing import check
from fuzz.drawing import PREAMBLE, Draft, Program, Statement
from fuzz.shrinking import shrunk, without_unread

import slopes as sl
from slopes import nn, optim
from slopes.loops.builder import MATH, Builder
from slopes.loops.values import Value

SAMPLE = 30  # programs, some ten seconds on two processors that have nothing else to do; campaigns of thousands: python -m tests.fuzz
NOT_OPTIMIZERS = {"Average", "Combined", "Lion", "Muon", "Optimizer", "Rprop", "clip_by_norm", "clip_by_value", "limit_norm", "minimize",
                  "schedules"}


def test_every_public_function_and_layer_has_a_rule_or_a_reason_why_not():
    public = {*sl.functions.__all__, *(name for name in sl.NAMES["random"] if name not in ("Generator", "seed"))}
    assert public == (functions.RULES.keys() - {"indexing"}) | functions.EXCLUDED.keys()
    assert set(nn.__all__) == layers.LAYERS.keys() | layers.EXCLUDED.keys()
    assert set(optim.__all__) == transforms.OPTIMIZERS.keys() | NOT_OPTIMIZERS
    assert all(f"sl.{name}(" in PREAMBLE for name in sl.NAMES["derivatives"] if name not in ("check_grads", "vmap"))  # vmap is in `batch`
    assert not functions.RULES.keys() & functions.EXCLUDED.keys() and not layers.LAYERS.keys() & layers.EXCLUDED.keys()


@pytest.mark.parametrize("name", [*functions.RULES, *layers.LAYERS])
def test_every_rule_draws_calls_of_its_name(name):
    drawn = functions.RULES.get(name) or layers.LAYERS[name]
    draft = Draft(np.random.default_rng(0))
    with np.errstate(all="ignore"):
        made = [drawn(draft, name) for _ in range(10)]
    assert sum(each is not None for each in made) >= 3
    text = draft.program.text()
    assert name == "indexing" or f".{name}(" in text


def test_a_program_follows_from_its_seed_and_number():
    with np.errstate(all="ignore"):
        texts = [transforms.draw(seed, index).reproduction() for seed, index in ((1, 2), (1, 2), (1, 3), (2, 2))]
    assert texts[0] == texts[1] and len(set(texts)) == 3


def test_what_is_wrong_is_found_and_made_small():
    program = Program("float32", {"x0": "np.arange(3).astype(real)", "x1": "np.ones(4).astype(real)"}, [], [
        Statement("v1", "v1 = sl.sin(x0)"), Statement("v2", "v2 = sl.tanh(x1)"), Statement("v3", "v3 = v2 * v2")], ["v1", "v3"])
    assert check(program, 0).status == "equal"

    def wrong(b: Builder, x: Value) -> Value:
        return b.mul(x, x)

    with patch.dict(MATH, tanh=wrong):
        assert "compiled" in check(program, 0).detail
        small = shrunk(program, 0)
    assert [each.name for each in small.statements] == ["v2"]
    assert "np.array([1.0, 1.0, 1.0, 1.0], real)" in small.reproduction()
    exec(small.reproduction(), {})  # a program of its own


def test_places_of_arguments_follow_when_some_are_left_out():
    program = Program("float64", {f"x{i}": "np.ones(2)" for i in range(3)}, [], [Statement("v1", "v1 = x0 * x2")], ["v1"],
                      ["sl.vmap(f, (0, None, 1))", "gradient(f, (0, 1, 2))", "sl.compile(f)"])
    small = without_unread(program)
    assert list(small.inputs) == ["x0", "x2"]
    assert small.transforms == ["sl.vmap(f, (0, 1))", "gradient(f, (0, 1))", "sl.compile(f)"]


def test_a_process_that_dies_is_a_difference_and_is_replaced():
    fuzzed = campaign.Campaign(5, 0, 3, 1, (0.0, ""), lambda summary: None)
    next(iter(fuzzed.workers)).process.kill()
    summary = fuzzed.run(300)
    assert summary.programs == 3 and summary.counts["different"] == 1
    told = str(summary.differences[0])
    assert told.startswith("# python -m tests.fuzz --seed 5 --only 0 --special 0.0\n# the process ended with status -9")


@pytest.mark.timeout(1800)
def test_a_sample_of_programs_has_no_difference():
    summary = campaign.run(0, count=SAMPLE, jobs=2)
    assert summary.programs == SAMPLE
    assert not summary.differences, "\n\n".join(map(str, summary.differences))
