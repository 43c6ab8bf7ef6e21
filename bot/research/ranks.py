"""Ranks with ties and holes, for whole panels at once.

The rule: equal values have equal ranks (the mean of the places that they take), and what is not known has none.
"""

import numpy as np
from numpy.typing import NDArray

from feeds.bars import Array

PAIRWISE = 40  # names up to which comparing every pair beats sorting every row


def ranks(values: Array) -> Array:
    """Ranks from 1 along the last axis among the known, ties get their mean; NaN stays NaN.   float64[..., S]"""
    known = np.isfinite(values)
    out: Array = centred_ranks(values) + (known.sum(axis=-1, keepdims=True) + 1) / 2.0
    return out


def centred_ranks(values: Array) -> Array:
    """Ranks less their mean, (n + 1) / 2: half the sum of the signs of the differences to each other; NaN stays NaN.   float64[..., S]"""
    known = np.isfinite(values)
    size = values.shape[-1]
    if size > PAIRWISE:
        return np.where(known, _by_sorting(np.where(known, values, np.inf), known), np.nan)
    columns = np.ascontiguousarray(np.moveaxis(np.where(known, values, np.nan), -1, 0).reshape(size, -1))
    twice = _signs(columns)
    halves: Array = twice.astype(np.float64) * 0.5
    return np.where(known, np.moveaxis(halves.reshape(size, *values.shape[:-1]), 0, -1), np.nan)


def _signs(columns: Array) -> NDArray[np.int8]:
    """How many of its row each value exceeds, less how many exceed it.   float64[S, N] -> int8[S, N]"""
    size, rows = columns.shape
    twice = np.zeros((size, rows), dtype=np.int8)
    step = 16_384  # rows whose columns stay in the cache
    for begin in range(0, rows, step):
        part, sums = columns[:, begin : begin + step], twice[:, begin : begin + step]
        for i in range(size - 1):
            for j in range(i + 1, size):
                sign = np.greater(part[i], part[j]).view(np.int8) - np.less(part[i], part[j]).view(np.int8)
                sums[i] += sign
                sums[j] -= sign
    return twice


def _by_sorting(values: Array, known: NDArray[np.bool_]) -> Array:
    """The same for long rows; what is not known was put at the end as an infinity."""
    size = values.shape[-1]
    flat = values.reshape(-1, size)
    order = np.argsort(flat, axis=-1, kind="stable")
    ordered = np.take_along_axis(flat, order, axis=-1)
    place = np.arange(size)
    new = np.ones(flat.shape, dtype=np.bool_)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(new, place, 0), axis=-1)
    ends = np.ones(flat.shape, dtype=np.bool_)
    ends[:, :-1] = new[:, 1:]
    final = np.minimum.accumulate(np.where(ends, place, size)[:, ::-1], axis=-1)[:, ::-1]
    out = np.empty(flat.shape)
    counts = known.reshape(-1, size).sum(axis=-1, keepdims=True)
    np.put_along_axis(out, order, (first + final) / 2.0 - (counts - 1) / 2.0, axis=-1)
    return out.reshape(values.shape)
