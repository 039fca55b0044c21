"""`slopes plan`: figures of a compiled step, of devices, and what follows from both."""

from __future__ import annotations

import json

import pytest

from slopes.errors import ArgumentError
from slopes.plan.analysis import StepAnalysis, largest_batch, step_time
from slopes.plan.devices import DEVICES, Device, find_device
from slopes.plan_command import plan_lines
from slopes.xla.collectives import Collective, collectives_of, traffic
from slopes.xla.tables import split_parameters

STEP = StepAnalysis(64, 4e9, 1e9, 3_000_000, 1_000_000, 100, (Collective("all-reduce", 4_000_000, (("f32", 1_000_000),), 8),))
SLOW = Device("slow", 1e12, 16e9, 1e12, 1e9, "made up")


def test_the_time_of_a_step_is_what_takes_longest_and_the_collectives():
    times = step_time(STEP, SLOW)
    assert (times.computing, times.reading) == (4e-3, 1e-3)
    assert times.sending == pytest.approx(2 * 7 / 8 * 4e6 / 1e9) and times.bound == "collectives"
    assert times.seconds == pytest.approx(4e-3 + 7e-3)
    assert largest_batch([STEP, StepAnalysis(128, 0, 0, 3_000_000, 2_000_000, 100, ())], 5_000_100, 8) == 128


def test_a_plan_says_all_of_it():
    text = "\n".join(plan_lines([STEP], {"parameters": 1_000_000}, SLOW, 8, 8))
    for line in ("8 devices: slow (made up)", "parameters        1,000,000", "batch             64, 8 on each device",
                 "memory            4 MB of 16 GB", "all-reduce        4,000,000 B in 1 call", "at least 11 ms, bound by collectives"):
        assert line in text


def test_devices_come_from_the_table_or_a_file(tmp_path):
    assert find_device("h100") is DEVICES["h100"] and all(device.source for device in DEVICES.values())
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"flops": 1e12, "memory": 1e9, "bandwidth": 1e11, "link": 1e10}))
    assert find_device(str(file)) == Device("mine", 1e12, 1e9, 1e11, 1e10, str(file))
    file.write_text('{"flops": 1}')
    for name, error in (("h200", "there is no such device or file"), (str(file), "does not describe a device")):
        with pytest.raises(ArgumentError, match=error):
            find_device(name)


def test_collectives_are_read_from_every_form_of_xlas_text():
    text = """
      %a = f32[16,32]{1,0} all-reduce(%dot.1), channel_id=1, replica_groups=mesh['axis_0'=8,'axis_1'=1] {'axis_0'}, to_apply=%add
      %b = (f32[4]{0}, f64[2]{0}) all-reduce(%x, %y), channel_id=2, replica_groups=[2,4]<=[8], use_global_device_ids=true
      %c = (f32[2]{0}, f32[8]{0}) all-gather-start(%z), channel_id=3, replica_groups={{0,1,2,3}}, dimensions={0}
      %d = bf16[3]{0} reduce-scatter(%w), channel_id=4, replica_groups={{0,1}}, to_apply=%add
      %e = s8[5]{0} collective-permute(%v), channel_id=5, source_target_pairs={{0,1},{1,0}}
      %f = f32[8]{0} all-gather-done(%c)
    """
    assert [(item.kind, item.bytes, item.devices) for item in collectives_of(text)] == [
        ("all-reduce", 2048, 8), ("all-reduce", 32, 4), ("all-gather", 32, 4), ("reduce-scatter", 12, 2), ("collective-permute", 5, 0)]
    assert traffic(collectives_of(text))[0] == ("all-reduce", 2, 2080)


def test_ready_tables_split_what_divides():
    shapes = {"0.weight": (8, 3, 5, 5), "0.bias": (8,), "1.weight": (7, 8), "norm.weight": (8,)}
    axes = {"data": 2, "model": 2}
    assert split_parameters(shapes, {"*.bias": ("model",)}, axes) == {"0.bias": ("model",)}
    with pytest.raises(ArgumentError, match="matches no parameter"):
        split_parameters(shapes, {"2.*": ("model",)}, axes)
