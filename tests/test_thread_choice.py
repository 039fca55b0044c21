"""The number of threads of a program follows the times of its runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from slopes.costs import FIRST_TRIAL, HOPELESS, LONGEST_INTERVAL, TRIAL_RUNS, TRIAL_STEPS
from slopes.machine.thread_choice import ThreadChoice


def simulate(choice: ThreadChoice, seconds: Callable[[int], float], runs: int, allowed: int) -> list[int]:
    """The numbers of threads of some runs, each of which takes as long as its number of threads says."""
    counts = []
    for _ in range(runs):
        counts.append(choice.thread_count(allowed))
        choice.record(counts[-1], 1, seconds(counts[-1]))
    return counts


def test_all_threads_run_until_the_first_trial():
    assert set(simulate(ThreadChoice(), lambda count: count, FIRST_TRIAL, 8)) == {8}


@pytest.mark.parametrize(("allowed", "best"), [(2, 1), (8, 1), (8, 2), (6, 3), (16, 4), (7, 7), (2, 2)])
def test_the_best_number_is_reached_step_by_step(allowed, best):
    choice = ThreadChoice()
    counts = simulate(choice, lambda count: 1 + abs(count - best), 30 * FIRST_TRIAL, allowed)
    assert min(choice.best, allowed) == best
    assert counts[-1] == best and counts[0] == allowed


def test_trials_become_rare_where_nothing_changes():
    counts = simulate(ThreadChoice(), lambda count: 1 / count, 20 * LONGEST_INTERVAL, 4)
    trials = [i for i, count in enumerate(counts) if count != 4]
    assert set(counts) == {2, 4} and len(trials) < TRIAL_RUNS * 30
    assert len([i for i in trials if i < 10 * FIRST_TRIAL]) <= 4 * TRIAL_RUNS


def test_a_hopeless_trial_ends_after_one_run():
    counts = simulate(ThreadChoice(), lambda count: 1.0 if count == 2 else HOPELESS, FIRST_TRIAL + 10, 2)
    assert counts.count(1) == 1


def test_more_threads_come_back_when_they_are_faster_again():
    choice = ThreadChoice()
    simulate(choice, lambda count: float(count), 2 * FIRST_TRIAL, 2)
    assert choice.best == 1
    assert simulate(choice, lambda count: 1.0 / count, 3 * LONGEST_INTERVAL, 2)[-1] == 2


def test_a_difference_within_the_noise_changes_nothing():
    choice = ThreadChoice()
    assert simulate(choice, lambda count: 1.0 if count == 2 else 0.97, LONGEST_INTERVAL, 2).count(1) > TRIAL_RUNS
    assert min(choice.best, 2) == 2


def test_fewer_are_allowed_in_the_middle_of_a_trial():
    choice = ThreadChoice()
    simulate(choice, lambda count: float(count), FIRST_TRIAL, 8)
    assert choice.thread_count(8) == 4
    assert choice.thread_count(2) == 1 and choice.trying == 1
    assert choice.thread_count(1) == 1


def test_many_steps_at_once_are_divided_for_trials_alone():
    choice, pieces = ThreadChoice(), []
    for _ in range(20):
        done = 0
        while done < 1000:
            count = choice.thread_count(2)
            steps = choice.piece(1000 - done)
            choice.record(count, steps, 1e-5 * count * steps)
            done += steps
            pieces.append((count, steps))
        assert done == 1000
    assert pieces[:5] == [(2, FIRST_TRIAL), *[(1, TRIAL_STEPS)] * TRIAL_RUNS, (1, FIRST_TRIAL)]  # one thread takes half of the time
    assert sum(steps for count, steps in pieces if count == 2) < 2 * FIRST_TRIAL
    assert len(pieces) < 70


def test_long_runs_that_are_not_divided_make_trials_rarer():
    choice = ThreadChoice()
    counts = []
    for _ in range(200):
        counts.append(choice.thread_count(2))
        choice.record(counts[-1], 5000, 5000 / counts[-1])
    assert 1 <= counts.count(1) <= 6
