"""Factors over a panel of data files: values as Parquet, a column a symbol.

The rule: neither the cut into blocks, nor what else is evaluated with it, nor --from changes a value or a byte of a factor's file.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bot.compiling import announce
from bot.errors import ConfigError
from feeds.files import Floats, Ints
from feeds.panel_files import TIME, Panel
from feeds.times import iso
from strategies.factors import Machine, Node, compile_factors
from strategies.factors.check import distinct
from strategies.factors.operators import OPERATORS

GROUP_VALUES = 1 << 18  # values of a row group, whatever the blocks
BLOCK_VALUES = 1 << 22  # values that a block holds, inputs and results, where nobody says how long it is
PIECE = 4_096  # bars of input that are read at once, at least
MEMORY = 1 << 30  # bytes that one program, its results and its inputs may take
MOST_FILES = 256  # that are written at once
CHUNK_BYTES = 8 << 10  # that a machine keeps of each register, at least
NOT_PARQUET = (".csv", ".tsv", ".feather", ".arrow", ".json", ".jsonl", ".xlsx")


class Job(NamedTuple):
    """A factor and the file that its values go to."""

    name: str
    node: Node
    file: Path


class Result(NamedTuple):
    """rows written, and how many values in them are known."""

    job: Job
    rows: int
    known: int


class Span(NamedTuple):
    """Which rows are wanted, both ends included, milliseconds; None: no bound. block: bars at once, 0: as memory allows."""

    start: int | None = None
    stop: int | None = None
    block: int = 0


def evaluate(panel: Panel, jobs: Sequence[Job], span: Span, say: Callable[[int, int], None]) -> Iterator[Result]:
    """Write every job's file, in order; `say` hears of (bars done, bars in all).

    The machine always begins with the first bar of the data. Raises FactorError where a factor reads what the data lacks, BadData for
    text among the numbers, OSError where a file cannot be written. A file is there whole or not at all.
    """
    parts = list(slices(jobs, len(panel.symbols)))
    for number, part in enumerate(parts):
        yield from _slice(panel, part, span, _counted(say, number, len(parts)))


def check_place(output: Path, batch: bool) -> None:
    """Before anything is read: values have to fit where they are to go. Raises ConfigError."""
    if batch:
        if output.exists() and not output.is_dir():
            raise ConfigError(f"{output} is a file.  -o of a batch is a folder, in which every id gets a file of its own")
    elif output.is_dir():
        raise ConfigError(f"{output} is a folder.  -o of one factor is a file: -o {output / 'factor.parquet'}")
    elif output.exists() and not output.is_file():
        raise ConfigError(f"{output} is a device or a pipe, and a file is put in the place of what is there.  Name a file: -o OUT.parquet")
    elif output.suffix.lower() in NOT_PARQUET:
        raise ConfigError(f"{output}: values are written as Parquet.  Name the file so: -o {output.with_suffix('.parquet')}")
    elif not output.parent.is_dir():
        raise ConfigError(f"{output}: there is no folder {output.parent}.  Make it, or name another place: -o OUT")


def remark(panel: Panel, node: Node, result: Result) -> str:
    """What to think of a file in which nothing stands; empty where something does."""
    if not result.rows:
        return f"no bar of the data lies between --from and --to: they are from {iso(int(panel.times[0]))} to {iso(int(panel.times[-1]))}"
    if result.known:
        return ""
    if node.look_back >= panel.times.size:
        return f"nothing is known: the factor looks back {node.look_back} bars, and the data have {panel.times.size}"
    return (
        "nothing is known at any bar: a window is known when it is full of known values, and what works across symbols where they differ; "
        "ffill(x) carries the last known value of x over bars without one"
    )


def _counted(say: Callable[[int, int], None], number: int, parts: int) -> Callable[[int, int], None]:
    """Progress of one part as progress of all of them."""
    return lambda done, total: say(number * total + done, parts * total)


def slices(jobs: Sequence[Job], symbols: int) -> Iterator[list[Job]]:
    """As many factors as fit into memory together; what they share is computed once."""
    part: list[Job] = []
    seen: set[Node] = set()
    taken = 0
    for job in jobs:
        nodes = distinct([job.node])
        needs = 8 * GROUP_VALUES + sum(_memory(node, symbols) for node in nodes if node not in seen)
        if part and (taken + needs > MEMORY or len(part) == MOST_FILES):
            yield part
            part, seen, taken = [], set(), 0
            needs = 8 * GROUP_VALUES + sum(_memory(node, symbols) for node in nodes)
        part.append(job)
        seen.update(nodes)
        taken += needs
    if part:
        yield part


def _memory(node: Node, symbols: int) -> int:
    """Bytes that a machine keeps for a node, about."""
    row = OPERATORS.get(node.op)
    return CHUNK_BYTES + (0 if row is None else 8 * symbols * (row.state(node.params) + len(node.args) * row.reads(node.params)))


def file_name(identity: str) -> str:
    """A file's name for any id: what is no plain letter is escaped as in an address, and a long one ends in its hash."""
    safe = quote(identity, safe=" ()+,=@[]{}")
    safe = safe.replace(".", "%2E", 1) if safe.startswith(".") else safe
    if len(safe) > 180:
        safe = f"{safe[:150]}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    return f"{safe or '%'}.parquet"


def _slice(panel: Panel, jobs: list[Job], span: Span, say: Callable[[int, int], None]) -> Iterator[Result]:
    program = compile_factors({str(i): job.node for i, job in enumerate(jobs)}, timeframe=panel.timeframe, fields=panel.fields)
    fields = program.fields
    announce()
    machine = Machine(program, len(panel.symbols))
    width = len(panel.symbols) * (len(fields) + len(jobs))
    block = span.block or max(64, min(16_384, BLOCK_VALUES // width))
    low = 0 if span.start is None else int(np.searchsorted(panel.times, span.start))
    high = panel.times.size if span.stop is None else int(np.searchsorted(panel.times, span.stop, side="right"))
    first, end = int(panel.numbers[0]), int(panel.numbers[high - 1]) + 1 if high > low else 0
    piece = block * max(1, PIECE // block)  # of the input: a stream of single bars need not read it bar by bar
    with _Sheets(panel, jobs, max(low, high) - low) as sheets, ThreadPoolExecutor(1) as pool:
        for start in range(first, end, piece):
            inputs = panel.values(fields, start, min(start + piece, end))
            for at in range(start, start + inputs.shape[0], block):
                values = machine.run(inputs[at - start : at - start + block], at, pool=pool)
                a, b = np.searchsorted(panel.numbers[low:high], (at, at + block)) + low
                if a < b:
                    sheets.add(panel.times[a:b], values[panel.numbers[a:b] - at])
                say(at + values.shape[0] - first, end - first)
        sheets.end()
    yield from (Result(job, sheets.rows, int(known)) for job, known in zip(jobs, sheets.known, strict=True))


class _Sheets:
    """The files of one slice while they are written: row groups of one size, whatever comes in at once."""

    def __init__(self, panel: Panel, jobs: list[Job], rows: int) -> None:
        self._jobs = jobs
        self._fresh = [job.file.with_name(f".{job.file.name}.{os.getpid()}.new") for job in jobs]
        self._schema = pa.schema([(TIME, pa.int64()), *((symbol, pa.float64()) for symbol in panel.symbols)])
        self._writers: list[pq.ParquetWriter] = []
        size = max(1, min(rows, max(256, GROUP_VALUES // len(panel.symbols))))
        self._times: Ints = np.empty(size, np.int64)
        self._values: Floats = np.empty((len(jobs), len(panel.symbols), size))
        self._held = 0
        self.rows = 0
        self.known = np.zeros(len(jobs), np.int64)

    def __enter__(self) -> "_Sheets":
        try:
            for file in self._fresh:
                self._writers.append(pq.ParquetWriter(file, self._schema, use_dictionary=False, write_statistics=False))
        except BaseException:
            self.__exit__(True)
            raise
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        for writer in self._writers:
            writer.close()
        if failed is not None:
            for file in self._fresh:
                file.unlink(missing_ok=True)

    def add(self, at: Ints, values: Floats) -> None:
        """values  float64[row, factor, symbol]"""
        done = 0
        while done < at.size:
            take = min(at.size - done, self._times.size - self._held)
            rows = slice(self._held, self._held + take)
            self._times[rows] = at[done : done + take]
            self._values[:, :, rows] = values[done : done + take].transpose(1, 2, 0)
            self._held, done = self._held + take, done + take
            if self._held == self._times.size:
                self._flush()

    def end(self) -> None:
        """Write what is left, and put the files in their places."""
        self._flush()
        for writer in self._writers:
            writer.close()
        self._writers = []
        for job, file in zip(self._jobs, self._fresh, strict=True):
            file.replace(job.file)

    def _flush(self) -> None:
        held, self._held = self._held, 0
        if not held:
            return
        self.rows += held
        self.known += (~np.isnan(self._values[:, :, :held])).sum(axis=(1, 2))
        times = pa.array(self._times[:held])
        for writer, sheet in zip(self._writers, self._values, strict=True):
            columns = [times, *(pa.array(column) for column in sheet[:, :held])]
            writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
