"""scikit-learn's checks of all estimators, one after the other: `python -m tests.estimator_checks [NAME ...]`."""

from __future__ import annotations

import argparse
import os
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("SCIPY_ARRAY_API", "1")  # before scikit-learn is imported: its checks with array API inputs run as well

from sklearn.utils.estimator_checks import check_estimator

from slopes import nn
from slopes.sklearn import (
    Autoencoder,
    ConvClassifier,
    MLPClassifier,
    MLPRegressor,
    NetClassifier,
    NetRegressor,
    SequenceClassifier,
)

SMALL = {"max_iter": 6, "learning_rate_init": 0.2}


def network(shape: tuple[int, ...], outputs: int) -> nn.Module:
    """A small network."""
    return nn.Sequential(nn.Linear(*shape, 8), nn.Tanh(), nn.Linear(8, outputs))


def estimators() -> list[Any]:
    """One of each kind, small."""
    return [MLPClassifier((8,), **SMALL), MLPRegressor(hidden_layer_sizes=(8,), **SMALL), Autoencoder(2, (8,), **SMALL),
            ConvClassifier(channels=(4,), hidden_layer_sizes=(8,), **SMALL), SequenceClassifier(units=6, **SMALL),
            NetClassifier(network, **SMALL), NetRegressor(network, **SMALL)]


def results(estimator: Any) -> Iterator[dict[str, Any]]:
    """What came of each check."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from check_estimator(estimator, on_fail=None)


def main() -> int:
    """Run the checks; returns how many failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="the estimators to check (default: all)")
    names, failed = parser.parse_args().names, 0
    for estimator in estimators():
        name = type(estimator).__name__
        if names and name not in names:
            continue
        started = time.process_time()
        checks = list(results(estimator))
        counts = Counter(check["status"] for check in checks)
        print(f"{name}: {', '.join(f'{count} {status}' for status, count in counts.items())}, "
              f"{time.process_time() - started:.1f} seconds of processor time")
        for check in checks:
            if check["status"] == "failed":
                failed += 1
                print(check["check_name"], "".join(traceback.format_exception(check["exception"])), sep="\n")
            elif check["status"] != "passed":
                print(f"  {check['status']}: {check['check_name']}: {check['exception']}")
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
