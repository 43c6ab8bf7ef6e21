"""Long columns, kept in a file without a name and mapped: as arrays like any other, whose memory can be given back.

The rule: what is read in pieces costs the memory of a piece. Whoever goes through a long array calls `give_back` after each piece; on
an array that lies in memory that does nothing. Where no file can be made, the columns stay in memory.
"""

import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONG = 1 << 16  # rows from which on a column is put into a file
MOST_FILES = 400  # a process may usually have 1024
PARTS = 4096  # that wait to be put together, at most
PIECE = 1 << 16  # rows that are gone through at once


class Growing:
    """A column that grows at its end: float64[n, ...] or int64[n, ...], in memory until it is long.

    shape  of one row: () for a plain column
    """

    def __init__(self, kind: type[np.generic], shape: tuple[int, ...] = ()) -> None:
        self._kind, self._shape = kind, shape
        self._parts: list[NDArray[Any]] = []
        self._file: int | None = None
        self._homeless = False  # no file can be made
        self._written = 0  # rows in the file
        self._rows = 0

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)

    @property
    def rows(self) -> int:
        return self._rows

    def append(self, values: NDArray[Any]) -> None:
        """More rows, which are copied where the caller may change them later: give away what you append."""
        self._parts.append(values)
        self._rows += len(values)
        if len(self._parts) >= PARTS:
            self._parts = [np.concatenate(self._parts)]
        if self._rows >= LONG and self._rows - self._written >= PIECE and not self._homeless:
            self._put_away()

    def end(self, value: float) -> None:
        """The last row is this."""
        if self._parts:
            self._parts[-1] = self._parts[-1].copy()
            self._parts[-1][-1] = value
        elif self._file is not None:
            os.pwrite(self._file, np.array(value, self._kind).tobytes(), 8 * (self._rows - 1))

    def array(self) -> NDArray[Any]:
        """All rows so far."""
        if self._file is None:
            if len(self._parts) != 1:
                self._parts = [np.concatenate(self._parts) if self._parts else np.empty((0, *self._shape), self._kind)]
            return self._parts[0]
        self._put_away()
        return _map(self._file, 0, (self._rows, *self._shape), self._kind)

    def _put_away(self) -> None:
        if self._file is None:
            self._file = _nameless()
        if self._file is None:
            self._homeless = True
            return
        for part in self._parts:
            _write(self._file, np.ascontiguousarray(part, self._kind), None)
        self._parts.clear()
        self._written = self._rows


class Fixed:
    """Columns of a length that is known, written in pieces from first to last; in memory where they are short."""

    def __init__(self, kinds: Sequence[type[np.generic]], rows: int) -> None:
        self._rows, self._done = rows, 0
        self._file = _nameless() if rows >= LONG else None
        self._starts = [place * -(-rows * 8 // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY for place in range(len(kinds))]
        self._kinds = kinds
        self._columns = [] if self._file is not None else [np.empty(rows, kind) for kind in kinds]

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)

    def append(self, pieces: Sequence[NDArray[Any]]) -> None:
        """The next rows of every column."""
        for place, piece in enumerate(pieces):
            if self._file is None:
                self._columns[place][self._done : self._done + len(piece)] = piece
            else:
                _write(self._file, np.ascontiguousarray(piece, self._kinds[place]), self._starts[place] + 8 * self._done)
        self._done += len(pieces[0])

    def arrays(self) -> list[NDArray[Any]]:
        """The columns; every row must have come."""
        if self._done != self._rows:
            raise ValueError(f"{self._done} of {self._rows} rows have come")
        if self._file is None:
            return list(self._columns)
        whole = _map(self._file, 0, (self._starts[-1] // 8 + self._rows,), np.int64)
        return [whole[start // 8 : start // 8 + self._rows].view(kind) for start, kind in zip(self._starts, self._kinds, strict=True)]


def joined(parts: Sequence[Sequence[NDArray[Any]]]) -> list[NDArray[Any]]:
    """Parts of the same columns, one after another, as one; a single part as it is."""
    if len(parts) == 1:
        return list(parts[0])
    whole = Fixed([column.dtype.type for column in parts[0]], sum(len(part[0]) for part in parts))
    for part in parts:
        for begin, end in pieces(len(part[0])):
            whole.append([column[begin:end] for column in part])
            give_back(*part)
    return whole.arrays()


def pieces(rows: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of consecutive pieces of at most PIECE rows."""
    for begin in range(0, rows, PIECE):
        yield begin, min(rows, begin + PIECE)


def give_back(*arrays: NDArray[Any]) -> None:
    """The memory of these arrays is free again, where they lie in a file; reading them again reads the file."""
    for array in arrays:
        base: Any = array
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, memoryview):
            base = base.obj
        if isinstance(base, mmap.mmap) and hasattr(base, "madvise"):
            base.madvise(mmap.MADV_DONTNEED)


def _nameless() -> int | None:
    """A file that is gone with its last user; None where there is no place for one, or too many files are open already."""
    try:
        handle, name = tempfile.mkstemp(prefix="sluice-columns-")
    except OSError:
        return None
    os.unlink(name)
    if handle > MOST_FILES:  # the system gives the lowest number that is free
        os.close(handle)
        return None
    return handle


def _write(file: int, values: NDArray[Any], at: int | None) -> None:
    """At a place of the file, or at its end."""
    rest = values.reshape(-1).view(np.uint8).data
    while rest:
        done = os.write(file, rest) if at is None else os.pwrite(file, rest, at)
        rest, at = rest[done:], None if at is None else at + done


def _map(file: int, start: int, shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    count = int(np.prod(shape))
    mapped = mmap.mmap(file, start + 8 * count, access=mmap.ACCESS_READ)
    return np.frombuffer(mapped, kind, count, start).reshape(shape)
