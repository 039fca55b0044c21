"""The benchmarks: every workload builds and steps in slopes, the arithmetic counted is the network's, bars, tables and files are right."""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "benchmarks").is_dir():
    pytest.skip("a copy without the benchmarks", allow_module_level=True)
sys.path.insert(0, str(ROOT))

from benchmarks import __main__ as command  # noqa: E402
from benchmarks import accuracy, calibrate, contention, engine_slopes, figures, layers_slopes, measure, networks, observing, once, report  # noqa: E402
from benchmarks.workloads import WORKLOADS, Bar, chosen, weights  # noqa: E402
from slopes import costs, nn  # noqa: E402

SMALL = {"alexnet": {"net": partial(networks.alexnet, features=256, hidden=8, classes=5), "sample": (3, 63, 63), "classes": 5},
         "gpt2": {"net": partial(networks.gpt2, vocabulary=50, width=16, depth=2, heads=2), "sample": (8,), "classes": 50}}
PARAMETERS = {"tiny": 114, "mlp-sgd": 101_770, "mlp-wide": 669_706, "lenet-sgd": 431_080, "resnet20": 269_722,
              "autoencoder": 210_369, "gpt": 804_096, "gpt-long": 926_976, "gpt2": 162_246_912,
              "rnn": 103_297, "lstm": 350_593, "gru": 268_161}
EVERYONE = Bar(1.5, ("PyTorch", "JAX"))


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_builds_and_steps(name):
    workload = replace(WORKLOADS[name], batch=2, steps_per_call=min(WORKLOADS[name].steps_per_call, 8), **SMALL.get(name, {}))
    small = name.startswith(("tiny", "mlp", "infer-mlp"))  # the others take seconds to compile: their step as it is
    engine = engine_slopes.build(workload, 1, "compiled" if small else "eager")
    result = engine.run(workload.steps_per_call)
    rows = 2 * networks.CONTEXT if "lstm" in name else 2
    assert result.shape == (() if workload.optimizer else (rows, workload.classes)) and np.isfinite(result).all()


@pytest.mark.parametrize("name", PARAMETERS)
def test_networks_have_the_parameters_that_they_say(name):
    with nn.init.shapes_only():
        net = WORKLOADS[name].net(layers_slopes)
    assert sum(parameter.size for parameter in net.parameters()) == PARAMETERS[name]


def test_the_arithmetic_is_counted():
    mlp = WORKLOADS["mlp-sgd"]
    assert mlp.flops == 2 * 64 * (2 * 784 * 128 + 3 * 128 * 10)
    assert replace(mlp, optimizer=None).flops == 2 * 64 * (784 * 128 + 128 * 10)
    assert sum(networks.RESNET20) == 40_551_040 and sum(networks.ALEXNET) == 1_135_256_096
    assert sum(networks.gated(4)) == 64 * (4 * 256 * (64 + 256) + 256 * 65)


def test_first_weights_depend_on_nothing_but_their_name():
    assert np.array_equal(weights("0.weight", (3, 4)), weights("0.weight", (3, 4)))
    assert not np.array_equal(weights("0.weight", (3, 4)), weights("1.weight", (3, 4)))
    assert np.all(weights("1.running_var", (100,)) > 0.8)


def test_a_level_of_instructions_is_for_slopes_and_its_peers(monkeypatch):
    for name in ("SLOPES_CPU", "TORCHINDUCTOR_CPP_MARCH", *measure.LEVELS["x86-64-v3"]):
        monkeypatch.setenv(name, "")  # put back afterwards
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    measure.cap("x86-64-v3")
    child = measure.environment(2, None)
    assert child["SLOPES_CPU"] == "x86-64-v3" == measure.machine()["cpu"] and child["ATEN_CPU_CAPABILITY"] == "avx2"
    assert child["XLA_FLAGS"] == "--mine --xla_cpu_max_isa=AVX2" and child["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    results = {"machine": measure.machine() | {"processor": "a processor"}, "threads": 2}
    assert report.where(results).startswith("a processor, compiled for x86-64-v3, 2 threads each")


def test_names_choose_workloads_by_their_beginning():
    assert [each.name for each in chosen(["lenet", "gpt"])] == ["lenet-sgd", "lenet-adam", "gpt", "gpt-long"]
    assert [workload.name for workload in chosen(["gpt2"])] == ["gpt2"]
    assert [workload for workload in chosen([]) if workload.slow] == [] and len(chosen([])) == len(WORKLOADS) - 1
    with pytest.raises(SystemExit, match="no workload is called vgg"):
        chosen(["vgg"])


# Who is compared with whom

def test_every_workload_has_bars_over_peers_that_can_run_it():
    for workload in WORKLOADS.values():
        able = [peer.name for peer in measure.PEERS.values() if peer.trains or not workload.optimizer]
        assert workload.bars and all(name in able for bar in workload.bars for name in bar.over)


def test_the_fastest_of_the_peers_of_a_bar_is_compared():
    times = {"slopes": [1.0, 1.0], "PyTorch": [3.0, 3.0], "JAX": [2.0, 2.0], "onnxruntime": [0.5, 0.5]}
    assert measure.judged(times, EVERYONE) == {"times": 1.5, "over": ("PyTorch", "JAX"), "peer": "JAX", "ratio": 2.0, "met": True,
                                               "spread": (2.0, 2.0)}
    assert not measure.judged(times, replace(EVERYONE, times=2.1))["met"]
    assert "met" not in measure.judged({"slopes": [1.0]}, EVERYONE)


def test_peers_run_what_they_can(monkeypatch):
    monkeypatch.setattr(measure, "find_spec", lambda name: name != "onnx")
    names = list(measure.PEERS)
    assert measure.able(WORKLOADS["infer-mlp-1"], names) == ["eager", "compile", "jax"]
    monkeypatch.setattr(measure, "find_spec", lambda name: True)
    assert measure.able(WORKLOADS["infer-mlp-1"], names) == names
    assert measure.able(WORKLOADS["tiny"], names) == ["eager", "compile", "jax"]
    assert measure.able(WORKLOADS["eager-mlp"], names) == ["eager"]


@pytest.mark.parametrize("other", [[1.0, 2.1], [1.0, np.nan]])
def test_systems_that_disagree_are_not_compared(other):
    measure.check_results(WORKLOADS["tiny"], {"slopes": [1.0, 2.0], "PyTorch": [1.0, 2.001]})
    with pytest.raises(SystemExit, match="after the same first steps"):
        measure.check_results(WORKLOADS["tiny"], {"slopes": [1.0, 2.0], "PyTorch": other})


@pytest.mark.parametrize("figure, met", [
    (figures.at_most(2.5, 2.4, None, "s"), True), (figures.at_most(2.5, 2.6, None, "s"), False),
    (figures.share(0.6, 50, 100, "MB"), True), (figures.share(0.6, 70, 100, "MB"), False), (figures.share(0.6, 70, None, "MB"), None),
    (figures.quicker(2, 10, 21), True), (figures.quicker(2, 10, 19), False), (figures.quicker(2, 10, None), None),
    (figures.plain(1, 2, "s"), None)])
def test_figures_meet_their_bars_or_not(figure, met):
    assert figure.get("met") is met


# What is shown and kept

@pytest.fixture
def results():
    """A row with two bars, one without peers, and a figure."""
    times = {"slopes": [1e-3] * 3, "PyTorch": [5e-3] * 3, "onnxruntime": [1.1e-3] * 3}
    rows = {"infer-mlp-1": measure.summary(times, WORKLOADS["infer-mlp-1"].bars), "tiny": measure.summary({"slopes": [2e-3]}, [EVERYONE])}
    machine = {"processor": "a processor", "instructions": "AVX2", "python": "3.11", "torch": "2.13", "jax": None}
    return {"schema": report.SCHEMA, "machine": machine, "threads": 2, "figures": {"import": figures.at_most(1, 0.5, 2.5, "s")},
            "rows": {name: row | {"flops": 10**6, "peak": 10.0} for name, row in rows.items()}}


def test_the_table_has_times_ratios_bars_and_verdicts(results):
    assert report.headings(results["rows"])[1:4] == ["slopes", "PyTorch", "onnxruntime"]
    assert report.cells("infer-mlp-1", results["rows"]["infer-mlp-1"], ["PyTorch", "onnxruntime"]) == [
        ["infer-mlp-1"], ["1 ms"], ["5 ms"], ["1.1 ms"], ["5.00 (5.00 to 5.00) PyTorch", "1.10 (1.10 to 1.10) onnxruntime"], ["4", "1.2"],
        ["met", "missed"], ["10%"]]
    assert "ratio 5.00 (5.00 to 5.00) PyTorch, bar 4 met; 1.10 (1.10 to 1.10) onnxruntime, bar 1.2 missed" in report.line(
        results["rows"]["infer-mlp-1"])
    assert report.cells("tiny", results["rows"]["tiny"], ["PyTorch"])[2:6] == [[""], ["no peer"], ["1.5"], [""]]


def test_the_terminal_shows_rows_and_figures(results, capsys):
    report.show(results)
    shown = capsys.readouterr().out
    assert "infer-mlp-1" in shown and "missed" in shown and "at most 1 s" in shown


@pytest.mark.parametrize("begin, end", [(report.BEGIN, report.END), (report.BEGIN_SHORT, report.END_SHORT)])
def test_the_tables_of_pages_are_made_from_kept_results(begin, end, results, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n", encoding="utf-8")
    rounds = {"slopes": [1e-3], "PyTorch": [5e-3], "onnxruntime": [1.1e-3]}
    results["rows"]["infer-lenet-1"] = results["rows"]["infer-mlp-1"] | {"times": rounds}
    report.save(tmp_path / "first.json", results)
    report.save(tmp_path / "second.json", results | {"machine": results["machine"] | {"instructions": "AVX-512"}})
    files = [str(tmp_path / "first.json"), str(tmp_path / "second.json")]
    command.main(["table", *files, "--into", str(page)])
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "before" and lines[-1] == "after" and "old" not in lines
    if begin == report.BEGIN:
        assert lines.count("| import | 500 ms | 2.5 s |") == 2 and lines.index("### AVX2") < lines.index("### AVX-512")
        assert any(line.startswith("| infer-mlp-1 | 1 ms | 5 ms | 1.1 ms | 5.00") and "<br>1.10" in line for line in lines)
    else:
        cells = "1 ms | 1.1 ms onnxruntime | 1.10 (1.10 to 1.10)"
        assert f"| LeNet, one image | {cells} | {cells} |" in lines
        assert "AVX2: a processor, 2 threads each, Python 3.11, torch 2.13." in lines
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(SystemExit, match="has no place for a table"):
        command.main(["table", *files, "--into", str(page)])


def test_the_ratio_is_the_median_of_paired_rounds_and_lies_in_its_quartiles():
    times = {"slopes": [1.0, 2.0, 4.0], "PyTorch": [3.0, 10.0, 8.0]}  # the ratio of the medians would be 4
    row = measure.summary(times, [EVERYONE])["bars"][0]
    assert row["ratio"] == 3.0 and row["spread"] == (2.5, 4.0)


def test_results_of_one_machine_are_kept_together(results, tmp_path):
    path = tmp_path / "results.json"
    report.save(path, results)
    report.save(path, results | {"rows": {"tiny": results["rows"]["tiny"] | {"peak": 20.0}}, "figures": {}})
    kept = report.load(path)
    assert kept["rows"]["tiny"]["peak"] == 20.0 and "infer-mlp-1" in kept["rows"] and "import" in kept["figures"]
    before = path.read_text(encoding="utf-8")
    with pytest.raises(SystemExit, match=r"processor .* there, another here.*Name another file"):
        report.save(path, results | {"machine": results["machine"] | {"processor": "another"}, "figures": {}})
    with pytest.raises(SystemExit, match="cannot stand beside"):
        command.main(["start", "--json", str(path)])
    assert path.read_text(encoding="utf-8") == before
    path.write_text(json.dumps({"schema": 1}), encoding="utf-8")
    with pytest.raises(SystemExit, match="another version"):
        report.load(path)


KEPT = sorted((ROOT / "benchmarks").glob("results-*.json"))


@pytest.mark.parametrize("name, begin, end, table", [("README.md", report.BEGIN_SHORT, report.END_SHORT, report.short_markdown),
                                                     ("docs/performance.md", report.BEGIN, report.END, report.markdown)])
def test_the_pages_say_what_the_results_say(name, begin, end, table):
    page = (ROOT / name).read_text(encoding="utf-8")
    assert page.count(begin) == page.count(end) == 1
    assert page.split(begin)[1].split(end)[0].strip() == table([report.load(file) for file in KEPT])


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_kept_ratios_follow_from_the_kept_rounds(file):
    for row in report.load(file)["rows"].values():
        bars = [measure.Bar(bar["times"], tuple(bar["over"])) for bar in row["bars"]]
        assert json.loads(json.dumps(measure.summary(row["times"], bars))) == {key: row[key] for key in ("median", "quartiles", "bars")}
        assert all(bar["spread"][0] <= bar["ratio"] <= bar["spread"][1] for bar in row["bars"] if "ratio" in bar)


# Commands

@pytest.mark.parametrize("name", command.COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main([*filter(None, [name]), "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0 and "--threads" in shown
    assert name or "examples:" in shown


def test_unknown_peers_are_named(capsys):
    with pytest.raises(SystemExit):
        command.main(["tiny", "--peers", "eager,caffe"])
    assert "no peer is called caffe; there are eager, compile, jax, onnx" in capsys.readouterr().err


def test_the_cost_of_statistics_is_measured_in_alternating_rounds(monkeypatch, capsys):
    monkeypatch.setattr(observing, "EXAMPLES", 32)
    monkeypatch.setattr(observing, "BATCH", 4)
    observing.main(["--rounds", "2", "--steps", "4", "--every", "2"])
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("20 statistics of LeNet, batch 4") and second.startswith("  every 2: ") and third.startswith("  every 1: ")


def test_accuracy_needs_the_images(monkeypatch, tmp_path):
    monkeypatch.setenv("SLOPES_DATA", str(tmp_path))  # an empty folder
    with pytest.raises(SystemExit, match="set SLOPES_DATA"):
        accuracy.images("train")


def test_both_systems_see_all_images_in_the_order_of_the_seed():
    taken = list(accuracy.batches(seed=1, epoch=2, count=150))
    assert [len(each) for each in taken] == [64, 64, 22] and sorted(np.concatenate(taken)) == list(range(150))


@pytest.mark.skipif(not once.STATUS.exists(), reason="only Linux says how much memory was in use")
def test_the_most_memory_since_the_mark_is_read():
    kept = np.ones(8 * 2**20)  # 64 MiB, and gone again
    del kept
    once.forget()
    before = once.memory("VmHWM")
    kept = np.ones(8 * 2**20)  # beyond 32 MiB the system gives new memory, whatever has been freed
    assert kept.nbytes / 2 < once.memory("VmHWM") - before < 1.5 * kept.nbytes


# Contention

class Clock:
    """A step that takes so many seconds of a clock that nothing else moves."""

    def __init__(self, time, seconds):
        self.time, self.seconds = time, seconds

    def run(self, steps):
        assert steps == 1
        self.time[0] += self.seconds


def test_steps_of_two_systems_in_turn_are_timed_each_by_itself(monkeypatch):
    pytest.importorskip("torch")
    in_turn = importlib.import_module("benchmarks.in_turn")
    time = [0.0]
    monkeypatch.setattr(in_turn.time, "perf_counter", lambda: time[0])
    assert in_turn.in_turn({"slopes": Clock(time, 0.25), "torch": Clock(time, 2.0)}, 9) == {"slopes": 0.25, "torch": 2.0}
    assert time[0] == 9


def test_contention_has_a_row_for_one_process_with_another_library(monkeypatch):
    worker = SimpleNamespace(answer=lambda: None, round=lambda seconds: 2.0)
    monkeypatch.setattr(contention, "worker", lambda *arguments: nullcontext(worker))
    monkeypatch.setattr(contention, "busy", nullcontext)
    monkeypatch.setattr(contention, "PAUSE", 0)
    monkeypatch.setattr(contention, "torch_installed", lambda: True)
    steps = {"alone": {"slopes": 2.0, "torch": 4.0}, "mixed": {"slopes": 6.0, "torch": 5.0}}
    monkeypatch.setattr(contention, "fresh", lambda *arguments, **options: (0.0, steps))
    beside, mixed = (figure for _, figure in contention.measure(["lenet-sgd"], 1, 0.1, 2))
    assert (beside["slopes"], beside["met"]) == (1, True)
    assert (mixed["slopes"], mixed["other"], mixed["met"]) == (3, 1.25, False)


# Calibration

def test_each_measured_constant_is_one_of_the_table_and_has_a_finite_value():
    rows = calibrate.measure()
    assert {row.name for row in rows} <= set(costs.table()) and len(rows) >= len(calibrate.MEASURES) - 2  # two are read from Linux
    assert all(0 < row.here < float("inf") and row.value == getattr(costs, row.name) for row in rows)


def test_a_calibration_says_what_differs_and_what_it_decides(monkeypatch):
    values = {"BROADCAST": 0.6, "WAYS": 12.0, "NAP": 1000.0, "WAY": None}
    monkeypatch.setattr(calibrate, "MEASURES", {name: lambda value=value: value for name, value in values.items()})
    assert calibrate.report(calibrate.measure(), "znver3, avx2").splitlines() == [
        f"znver3, avx2: 3 of the {len(costs.table())} constants in slopes.costs can be measured",
        "2 differ by 1.5 times or more:",
        "  WAYS                   8  here        12  (1.50 times)  lines",
        "      it decides how many lines one of its sets holds: how many rows a tile has",
        "  NAP                 2000  here      1000  (0.50 times)  rounds of a waiting loop",
        "      it decides what the shortest sleep counts as",
        "1 agree:",
        "  BROADCAST            0.5  here       0.6  (1.20 times)  cycles",
        "Nothing was changed: the values are those of src/slopes/costs.py."]


def test_a_lane_that_is_not_next_to_its_neighbour_costs_more():
    assert calibrate.gathered(0) > calibrate.neighbours() > 0
