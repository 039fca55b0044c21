"""Where the time goes, beside what the machine can do: the table, the roof and the picture."""

from __future__ import annotations

import pytest

import slopes as sl
from slopes.errors import ArgumentError
from slopes.machine.peak import Peak, peak
from slopes.machine.profile import Profile, Row
from slopes.view.roofline import intensity, rate

ROWS = [Row(2e-3, 50.0, 2.0, 0.5, "contract", "[64, 64] over [64]", "contract, tanh", "train.py:7"),
        Row(1e-3, None, 8.0, 0.8, "map", "[64, 64]", "exp", "train.py:8")]


def test_a_profile_prints_what_each_kernel_reaches():
    assert str(Profile(ROWS, 3e-3, Peak(100.0, 10.0))).splitlines() == [
        "3.000 ms a run; a core's peak is 100 GFLOP/s and 10 GB/s",
        "      ms   time  GFLOP/s   GB/s  peak  kernel",
        "   2.000  66.7%     50.0    2.0   50%  contract [64, 64] over [64]: contract, tanh  # train.py:7",
        "   1.000  33.3%             8.0   80%  map [64, 64]: exp  # train.py:8"]


def test_the_roof_is_measured_and_kept():
    assert peak() is peak()
    assert peak().gflops > 1 and peak().gbytes > 0.1


def test_a_kernel_counts_its_operations_and_the_bytes_that_it_touches():
    step = sl.compile(lambda x, w: sl.tanh(x @ w))
    row, = sl.profile(step, sl.ones((64, 48)), sl.ones((48, 80)), runs=2).rows
    operations, touched = 2 * 64 * 48 * 80, 4 * (64 * 48 + 48 * 80 + 64 * 80)
    assert row.gflops == pytest.approx(1e-9 * operations / row.seconds)
    assert row.gbytes == pytest.approx(1e-9 * touched / row.seconds)
    assert row.share == pytest.approx(max(row.gflops / peak().gflops, row.gbytes / peak().gbytes))


def test_a_kernel_inside_of_a_loop_counts_all_its_steps():
    w = sl.ones((32, 32)) * 0.01
    step = sl.compile(lambda x: sl.scan(lambda h, x: (sl.tanh(h @ w + x), None), sl.zeros((16, 32)), x)[0])
    rows = sl.profile(step, sl.ones((10, 16, 32)), runs=2).rows
    product, = [row for row in rows if row.kind == "contract"]
    assert product.gflops == pytest.approx(1e-9 * 2 * 10 * 16 * 32 * 32 / product.seconds)


def test_the_picture_names_the_slowest_kernels_and_is_the_same_each_time(tmp_path):
    pytest.importorskip("matplotlib")
    profile = Profile(ROWS, 3e-3, Peak(100.0, 10.0))
    picture = sl.roofline(profile)
    assert picture.data("png") == sl.roofline(profile).data("png")
    texts = [text.get_text() for text in picture.figure.axes[0].texts]
    assert texts == ["1", "2", "1  67%  contract: contract, tanh\n2  33%  map: exp"]
    picture.save(tmp_path / "roof.png")
    assert (tmp_path / "roof.png").stat().st_size > 10_000
    assert (rate(ROWS[0]), intensity(ROWS[0])) == (50.0, 25.0)
    assert (rate(ROWS[1]), intensity(ROWS[1])) == (2.0, 0.25)


def test_only_a_profile_can_be_drawn():
    with pytest.raises(ArgumentError, match="roofline: 3 is no profile"):
        sl.roofline(3)
