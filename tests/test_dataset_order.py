"""The order of examples: always the same function of (seed, epoch, position), whatever is resumed."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from slopes.data.loaders.order import SPLITTING, batches, number_of_batches, order
from slopes.errors import ArgumentError

WORD = 2**64 - 1
GOLDEN = {
    (0, 0, 0): [0, 2, 9, 1, 8, 5, 4, 3, 6, 7],
    (0, 1, 0): [1, 9, 2, 8, 3, 5, 0, 4, 7, 6],
    (1, 0, 0): [3, 5, 2, 9, 7, 0, 8, 6, 1, 4],
    (2**63, 12, 0): [3, 6, 4, 9, 0, 7, 1, 2, 5, 8],
    (0, 0, SPLITTING): [5, 3, 7, 8, 2, 4, 1, 0, 6, 9],
}


def philox(counter, key):
    """Philox4x64-10 written from its paper."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p, q = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(q >> 64) ^ c[1] ^ k[0], q & WORD, (p >> 64) ^ c[3] ^ k[1], p & WORD]
        k = [(k[0] + 0x9E3779B97F4A7C15) & WORD, (k[1] + 0xBB67AE8584CAA73B) & WORD]
    return c


def test_the_reference_generator_gives_the_published_numbers():
    assert philox([0] * 4, [0] * 2) == [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]


@pytest.mark.parametrize("seed, epoch, purpose", [(0, 0, 0), (7, 3, 0), (2**64 - 1, 2**40, 1)])
def test_the_order_is_what_its_definition_says(seed, epoch, purpose):
    words = [word for block in range(1, 26) for word in philox([block, 0, epoch, 0], [seed, purpose])]
    expected = sorted(range(99), key=lambda i: words[i])
    assert order(seed, epoch, 99, purpose).tolist() == expected


@pytest.mark.parametrize("seed, epoch, purpose", GOLDEN)
def test_the_order_never_changes(seed, epoch, purpose):
    assert order(seed, epoch, 10, purpose).tolist() == GOLDEN[seed, epoch, purpose]


def test_the_order_of_a_large_set_never_changes():
    digest = hashlib.sha256(order(0, 0, 60000).astype("<i8").tobytes()).hexdigest()
    assert digest == "0c345d35008963793e7bf1c0d5c720f1363893929e0f77ad737d14213d665b6f"


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_the_order_is_a_permutation_of_int64(n):
    found = order(3, 4, n)
    assert found.dtype == np.int64 and sorted(found.tolist()) == list(range(n))


def test_seeds_and_epochs_give_different_orders():
    found = {tuple(order(seed, epoch, 50).tolist()) for seed in range(10) for epoch in range(10)}
    assert len(found) == 100


def test_every_example_comes_to_every_place_equally_often():
    counts = np.zeros((6, 6))
    for epoch in range(3000):
        counts[np.arange(6), order(0, epoch, 6)] += 1
    assert np.abs(counts / 500 - 1).max() < 0.2  # 4.9 standard deviations


@pytest.mark.parametrize("n, size", [(10, 3), (10, 5), (10, 64), (1, 1), (0, 4)])
def test_batches_cut_the_order_into_pieces_with_a_last_partial_one(n, size):
    found = list(batches(5, 2, n, size))
    assert len(found) == number_of_batches(n, size)
    assert [len(batch) for batch in found[:-1]] == [size] * (len(found) - 1)
    assert np.concatenate([*found, []]).tolist() == order(5, 2, n).tolist()


def test_resuming_at_any_batch_continues_the_same_order():
    whole = [batch.tolist() for batch in batches(1, 1, 23, 4)]
    for start in range(len(whole) + 2):
        assert [batch.tolist() for batch in batches(1, 1, 23, 4, start)] == whole[start:]


def test_without_a_seed_examples_come_as_stored():
    assert [batch.tolist() for batch in batches(None, 0, 5, 2)] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("arguments", [(-1, 0, 5), (0, -1, 5), (0, 0, -5), (2**64, 0, 5), (0.5, 0, 5), (True, 0, 5)])
def test_impossible_numbers_are_refused(arguments):
    with pytest.raises(ArgumentError, match="must be an integer from 0"):
        order(*arguments)


@pytest.mark.parametrize("size", [0, -1, 2.0, True])
def test_a_batch_without_examples_is_refused_at_once(size):
    with pytest.raises(ArgumentError, match="a batch holds at least one example"):
        batches(0, 0, 5, size)
