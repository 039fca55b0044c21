"""The roofline picture of a profile: how near each kernel comes to what a core can compute, or can move to and from memory."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..machine.profile import Profile, Row
from ..plot import MUTED, TRAIN, VALIDATION, Picture, new_figure

NAMED = 5  # kernels that are named in the picture: the slowest


def roofline(profile: Profile) -> Picture:
    """Each kernel of a profile as a point: operations per byte to the right, operations per second upwards, its time as its area.

    The roof is min(peak GFLOP/s, operations per byte * peak GB/s) of one core (Williams, Waterman, Patterson: Roofline, CACM 52,
    2009). Under the slope a kernel waits for memory, under the flat part for arithmetic; points above the slope live in a cache.
    Kernels without multiply-adds stand on the left, at one operation per element of four bytes. Raises ArgumentError for anything
    that is not what `sl.profile` returned.

    >>> import slopes as sl
    >>> step = sl.compile(lambda x, w: sl.tanh(x @ w))
    >>> profile = sl.profile(step, sl.ones((64, 64)), sl.ones((64, 64)))
    >>> sl.roofline(profile).save("roofline.png")    # doctest: +SKIP
    """
    if not isinstance(profile, Profile):
        raise ArgumentError(f"roofline: {profile!r} is no profile", repair="draw what sl.profile(step, ...) returned")
    figure = new_figure(7, 4.2)
    axes = figure.subplots()
    rows = [row for row in profile.rows if row.seconds > 0 and row.gbytes > 0]
    x, y = np.array([intensity(row) for row in rows]), np.array([rate(row) for row in rows])
    share = np.array([row.seconds for row in rows]) / max(sum(row.seconds for row in rows), 1e-12)
    contract = np.array([row.gflops is not None for row in rows])
    for chosen, color, label in ((contract, TRAIN, "contractions"), (~contract, VALIDATION, "other kernels")):
        axes.scatter(x[chosen], y[chosen], s=20 + 1500 * share[chosen], color=color, alpha=0.45, linewidths=0, label=label)
    reach = np.logspace(np.log10(min([0.1, *x])), np.log10(max([100.0, *x * 1.5])), 200)
    axes.plot(reach, np.minimum(profile.peak.gflops, reach * profile.peak.gbytes), color=MUTED, zorder=0,
              label=f"one core: {profile.peak.gflops:.0f} GFLOP/s, {profile.peak.gbytes:.0f} GB/s")
    for i, row in enumerate(rows[:NAMED]):
        axes.annotate(f"{i + 1}", (intensity(row), rate(row)), ha="center", va="center", fontsize=8)
    names = "\n".join(f"{i + 1}  {row.seconds / max(profile.seconds, 1e-12):.0%}  {shortened(row)}" for i, row in
                      enumerate(rows[:NAMED]))
    axes.text(0.99, 0.02, names, transform=axes.transAxes, ha="right", va="bottom", fontsize=7)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operations per byte")
    axes.set_ylabel("1e9 operations per second")
    for handle in axes.legend(frameon=False, fontsize=8, loc="upper left").legend_handles[:2]:
        handle.set_sizes([60])
    return Picture(figure)


def rate(row: Row) -> float:
    """1e9 operations per second; a kernel without multiply-adds does about one for each element of four bytes."""
    return row.gflops if row.gflops is not None else row.gbytes / 4


def intensity(row: Row) -> float:
    """Operations per byte."""
    return rate(row) / row.gbytes


def shortened(row: Row) -> str:
    """What a kernel is, in a few words."""
    text = f"{row.kind}: {row.operations}"
    return text if len(text) <= 48 else text[:45] + "..."
