"""`torch.utils.data`: datasets and loaders, in Python; slopes' own `data.Dataset` and `fit` are faster."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ... import random
from ...errors import ArgumentError
from ...tensor import Tensor as CoreTensor
from .. import functions
from ..tensor import new


class Dataset:
    """A base class: implement __len__ and __getitem__."""

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__(self, index)")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class TensorDataset(Dataset):
    """Examples that are the rows of tensors of equal length."""

    def __init__(self, *tensors: Any) -> None:
        if len({len(tensor) for tensor in tensors}) != 1:
            raise ArgumentError(f"TensorDataset: the tensors have {', '.join(str(len(tensor)) for tensor in tensors)} rows",
                                why="an example is a row of each tensor")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """The examples of a dataset with these indices."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, list(indices)

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset):
    """The examples of several datasets, one after the other."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        self.ends = np.cumsum([len(dataset) for dataset in self.datasets])

    def __getitem__(self, index: int) -> Any:
        index = range(len(self))[index]
        i = int(np.searchsorted(self.ends, index, side="right"))
        return self.datasets[i][index - int(self.ends[i - 1]) if i else index]

    def __len__(self) -> int:
        return int(self.ends[-1]) if self.datasets else 0


def random_split(dataset: Any, lengths: Sequence[float], generator: Any = None) -> list[Subset]:
    """Disjoint random parts of these lengths, or of these fractions, whose remainder goes to the first ones."""
    total = len(dataset)
    sizes = [int(length) for length in lengths]
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        sizes = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(sizes)):
            sizes[i % len(sizes)] += 1
    if sum(sizes) != total:
        raise ArgumentError(f"random_split: the lengths {list(lengths)} do not add up to the {total} examples")
    order, ends = random.permutation(total, generator).tolist(), np.cumsum([0, *sizes]).tolist()
    return [Subset(dataset, order[start:stop]) for start, stop in itertools.pairwise(ends)]


def default_collate(batch: Sequence[Any]) -> Any:
    """Examples as one batch: tensors, arrays and numbers are stacked, also in tuples and dictionaries; texts stay lists."""
    first = batch[0]
    if isinstance(first, CoreTensor):
        return functions.stack(list(batch))
    if isinstance(first, (np.ndarray, np.generic)):
        return new(np.stack([np.asarray(item) for item in batch]))
    if isinstance(first, (bool, int, float)):
        return new(np.array(batch))
    if isinstance(first, Mapping):
        return {key: default_collate([item[key] for item in batch]) for key in first}
    return list(batch) if isinstance(first, (str, bytes)) else [default_collate(items) for items in zip(*batch)]


class DataLoader:
    """Batches of a dataset. Workers are accepted and not used: everything runs in this process."""

    def __init__(self, dataset: Any, batch_size: int = 1, shuffle: bool = False, sampler: Iterable[int] | None = None, *,
                 num_workers: int = 0, collate_fn: Callable[[list], Any] | None = None, pin_memory: bool = False,
                 drop_last: bool = False, generator: Any = None, persistent_workers: bool = False) -> None:
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ArgumentError(f"DataLoader: batch_size={batch_size!r}", why="a batch has one example at least")
        self.dataset, self.batch_size, self.shuffle, self.sampler = dataset, batch_size, shuffle, sampler
        self.collate_fn, self.drop_last, self.generator = collate_fn or default_collate, drop_last, generator

    def __len__(self) -> int:
        return len(self.dataset) // self.batch_size if self.drop_last else -(-len(self.dataset) // self.batch_size)

    def order(self) -> list[int]:
        if self.sampler is not None:
            return list(self.sampler)
        return random.permutation(len(self.dataset), self.generator).tolist() if self.shuffle else list(range(len(self.dataset)))

    def __iter__(self) -> Iterator[Any]:
        order = self.order()
        for start in range(0, len(order), self.batch_size):
            indices = order[start : start + self.batch_size]
            if len(indices) == self.batch_size or not self.drop_last:
                yield self.batch(indices)

    def batch(self, indices: list[int]) -> Any:
        if type(self.dataset) is TensorDataset and self.collate_fn is default_collate:
            return [tensor[np.array(indices)] for tensor in self.dataset.tensors]
        return self.collate_fn([self.dataset[i] for i in indices])
