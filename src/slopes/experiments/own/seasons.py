"""After how many steps a series looks alike, and the cycles of the calendar."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .time_steps import Step

LEAST_RISE = 0.15  # by how much the autocorrelation rises again to a season's lag
LEAST, NOISE = 0.2, 3.0  # of the autocorrelation at a season's lag, and its deviations of white noise
LEAST_CYCLES = 2  # that the training part covers
AS_HIGH = 0.9  # of the highest peak: an earlier one is preferred, and one of the calendar's
HARMONICS = 3
LONGEST_LAG = 10_000
CYCLES = {"hour of the day": 1.0, "day of the week": 7.0, "time of the year": 365.2425}  # in days


class Season(NamedTuple):
    """A period in steps, 1 for none; the autocorrelation at it; and why."""

    period: int
    strength: float
    reason: str


def autocorrelation(values: np.ndarray, most: int) -> np.ndarray:
    """The autocorrelation at lags 0..most of values without their linear trend, through the Fourier transform.

    Source: Box, Jenkins, Time Series Analysis, 1970, section 2.1.5.

    >>> autocorrelation(np.tile([0.0, 1.0, 0.0, -1.0], 50), 4)[2:5:2].round(2).tolist()
    [-0.99, 0.98]
    """
    t = np.arange(len(values), dtype=np.float64)
    rest = values - np.polyval(np.polyfit(t, values, 1), t)
    power = np.abs(np.fft.rfft(rest, 2 * len(rest))) ** 2
    sums = np.fft.irfft(power)[: most + 1]
    return sums / sums[0] if sums[0] > 0 else np.zeros(most + 1)


def calendar_periods(step: Step) -> list[int]:
    """The cycles of the calendar in steps, as far as they are whole or long.

    >>> calendar_periods(Step("month", 1)), calendar_periods(Step("second", 86400)), calendar_periods(Step("weekday", 1))
    ([12], [7, 365], [5, 261])
    """
    if step.unit == "number":
        return []
    periods = [cycle / step.size for cycle in CYCLES.values()]
    return [round(period) for period in periods if period >= 2 and (abs(period - round(period)) < 0.05 or period > 50)]


def find_season(values: np.ndarray, step: Step) -> Season:
    """The season of the training part of a series: the first high peak of its autocorrelation, or the calendar's cycle beside it.

    A lag is a peak if the autocorrelation rose to it from some lag before by at least 0.15, to 0.2 and three deviations of white noise,
    and the part covers it twice. Without a peak it is the shortest cycle of the calendar that the part covers twice.
    """
    most = min(len(values) // LEAST_CYCLES, LONGEST_LAG)
    if most < 2:
        return Season(1, 0.0, "the training part is too short to show one")
    correlations = autocorrelation(values, most)
    rise = correlations - np.minimum.accumulate(correlations)
    high = (rise >= LEAST_RISE) & (correlations > max(LEAST, NOISE / np.sqrt(len(values))))
    peaks = np.flatnonzero(high[1:-1] & (correlations[1:-1] >= correlations[:-2]) & (correlations[1:-1] >= correlations[2:])) + 1
    cycles = [period for period in calendar_periods(step) if period < most]
    if not len(peaks):
        reason = "the autocorrelation of the training part has no peak"
        return Season(cycles[0], float(correlations[cycles[0]]), f"a cycle of the calendar; {reason}") if cycles else Season(1, 0.0, reason)
    highest = correlations[peaks].max()
    first = int(peaks[correlations[peaks] >= AS_HIGH * highest][0])
    at_calendar = [period for period in cycles if high[period] and correlations[period] >= AS_HIGH * highest]
    period = at_calendar[0] if at_calendar else first
    peak = f"the autocorrelation is {correlations[period]:.2f} there"
    return Season(period, float(correlations[period]), f"a cycle of the calendar; {peak}" if at_calendar else peak)


def named_season(values: np.ndarray, period: int) -> Season:
    """The season that a user named."""
    strength = float(autocorrelation(values, period)[period]) if period < len(values) else 0.0
    return Season(period, strength, "named by you")


def cycles_of(step: Step, steps: int) -> dict[str, int]:
    """The cycles of the calendar that this many steps cover at least twice, with how many harmonics each can have at this step.

    >>> cycles_of(Step("month", 1), 100)
    {'time of the year': 3}
    """
    if step.unit == "number":
        return {}
    harmonics = {name: min(HARMONICS, int(np.ceil(cycle / (2 * step.size))) - 1) for name, cycle in CYCLES.items()}
    return {name: count for name, count in harmonics.items() if count > 0 and steps * step.size >= LEAST_CYCLES * CYCLES[name]}


def cycle_features(times: np.ndarray, name: str, harmonics: int) -> np.ndarray:
    """sin and cos of 1..harmonics turns of a cycle (N, 2 harmonics) at times in days."""
    phases = 2 * np.pi * (times[:, None] % CYCLES[name]) / CYCLES[name] * np.arange(1, harmonics + 1)
    return np.concatenate([np.sin(phases), np.cos(phases)], axis=1)
