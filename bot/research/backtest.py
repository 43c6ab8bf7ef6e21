"""Factors tried on a market: the one place where values, positions, book, statistics and slices of time come together.

The rule: what a slice is judged by was fixed before it begins (the sign on train), and the test slice is not even computed until it is
asked for.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from bot.research.book import Book, simulate_many
from bot.research.decay import Decay
from bot.research.evidence import Evidence, Figures, FoldFigures, Part, decay_of, relative
from bot.research.growth import with_errors
from bot.research.ic import Evidence as Kind
from bot.research.labels import forward_returns
from bot.research.market import Market, ends
from bot.research.performance import performance
from bot.research.positions import positions, standing, volatility
from bot.research.quantiles import Quantiles, quantile_returns
from bot.research.regimes import NAMES, Regimes, regimes
from bot.research.settings import TIME, Settings
from bot.research.splits import Slice, three_slices, walk_forward
from bot.research.universe import survivors
from bot.research.values import Progress, batches, factor_values
from feeds.bars import Array
from strategies.factors import Node

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """What one factor did. `metrics` and everything that is not of a slice cover train and validate, and test only where it was opened.

    direction  +1 or -1, the sign that the factor was used with: ICs, quantiles and decay are those of the signed factor
    book       bar by bar;  first  the row of the market at which the book's figures begin
    quantiles, ic_decay  None where no details were asked for
    """

    factor: str
    canonical: str
    direction: int
    symbols: tuple[str, ...]
    timeframe: int
    start: int
    stop: int
    bars: int
    settings: Settings
    metrics: Figures
    slices: dict[str, Part]
    by_regime: dict[str, Part]
    folds: tuple[FoldFigures, ...]
    quantiles: Quantiles | None
    ic_decay: Decay | None
    warnings: tuple[str, ...]
    book: Book
    first: int


def backtest(market: Market, factor: Node | Array, settings: Settings | None = None, *, name: str = "factor") -> Backtest:
    """One factor with every figure.

    factor  a graph, or its values float64[T, S]
    """
    given: Sequence[Node | Array] = [factor]
    (found,) = backtest_many(market, given, settings, names=[name], details=True)
    return found


def backtest_many(
    market: Market, factors: Sequence[Node | Array] | Array, settings: Settings | None = None, *,
    names: Sequence[str] = (), details: bool = False, say: Progress | None = None,
) -> Iterator[Backtest]:  # fmt: skip
    """Many factors over one market, in order: each as if it were alone.

    factors  graphs, or values float64[T, S] of each;  names  what people call them
    details  regimes, walk forward, quantiles, decay, capacity and bootstrap as well: about ten times the work
    say      hears of (factors done, factors in all)
    Raises ValueError for a market too short to be cut into slices, FactorError for a factor that reads what the market lacks.
    """
    ground = _Ground.of(market, settings or Settings(), details)
    for low, high in batches(market, len(factors), 4 if details else 1):
        given = [factors[i] for i in range(low, high)]
        nodes = [each for each in given if isinstance(each, Node)]
        if 0 < len(nodes) < len(given):
            raise ValueError("give graphs or values, not both at once")
        if wrong := [np.shape(each) for each in given if not isinstance(each, Node) and np.shape(each) != market.close.shape]:
            raise ValueError(f"values are float64{list(market.close.shape)}, one for each bar and symbol, not {list(wrong[0])}")
        values = factor_values(ground.market, nodes) if nodes else np.stack([np.asarray(v)[: ground.market.rows] for v in given])
        seen = ground.evidence(values)
        directions = [ground.direction(each) for each in seen]
        books = ground.books(values, directions)
        for i, (book, direction) in enumerate(zip(books, directions, strict=True)):
            name = names[low + i] if names else f"factor {low + i + 1}"
            yield ground.judged(name, nodes[i].text if nodes else "", seen[i], direction, book)
            if say is not None:
                say(low + i + 1, len(factors))


class _Ground(NamedTuple):
    """What all factors of a market share. market: cut where the test slice begins, unless it is opened."""

    market: Market
    settings: Settings
    slices: tuple[Slice, ...]
    tradable: Mask
    labels: Array
    closing: Rows
    risk: Array | None
    regimes: Regimes | None
    details: bool

    @classmethod
    def of(cls, market: Market, settings: Settings, details: bool) -> "_Ground":
        settings = settings.resolved(market.timeframe, len(market.symbols))
        embargo = settings.embargo if settings.embargo >= 0 else (market.rows - market.begin) // 100
        settings = msgspec.structs.replace(settings, embargo=embargo)
        slices: tuple[Slice, ...] = three_slices(market.begin, market.rows, settings.shares, settings.purge, embargo)
        if min(part.rows for part, share in zip(slices, settings.shares, strict=True) if share) < 2:
            raise ValueError(
                f"{market.rows - market.begin} bars are too few for slices {settings.shares} with {settings.purge} bars purged and "
                f"an embargo of {embargo}; the purge follows the bars between decisions, {settings.rebalance}: decide more often "
                "(--rebalance 1h), or give more bars"
            )
        if not settings.test and settings.shares[2]:
            market, slices = market.until(slices[2].start - embargo), slices[:2]
        closing = ends(market)
        scaled = settings.vol_target > 0
        ground = cls(
            market=market,
            settings=settings,
            slices=tuple(part for part in slices if part.rows),
            tradable=market.listed & ~np.isnan(market.close),
            labels=np.empty((0, 0)),
            closing=closing,
            risk=volatility(market, settings.window) if scaled else None,
            regimes=regimes(market) if details else None,
            details=details,
        )
        return ground._replace(labels=ground.labelled(settings.horizon))

    def labelled(self, horizon: int) -> Array:
        """float64[T, S], what could be earned over a horizon."""
        labels = labels_of(self.market, horizon, self.settings.latency)
        return relative(np.where(self.tradable, labels, np.nan)) if self.is_relative else labels

    @property
    def kind(self) -> Kind:
        """How coefficients are taken."""
        return "across" if self.settings.evidence == "across" else "over_time"

    @property
    def is_relative(self) -> bool:
        """Whether values and labels count relative to their mean at each bar."""
        return self.kind == "over_time" and self.settings.scheme not in TIME

    @property
    def decisions(self) -> Rows:
        """Rows at whose closes is decided: the same bars whatever the history."""
        rows = np.arange(self.market.begin, self.market.rows)
        return np.asarray(rows[(self.market.first + rows + 1) % self.settings.rebalance == 0])

    def evidence(self, values: Array) -> list[Evidence]:
        """Of values where the symbol was in the universe and had a price.   float64[F, T, S]"""
        known = np.where(self.tradable, values, np.nan)
        if self.is_relative:
            known = np.stack([relative(each) for each in known])
        settings = self.settings
        return Evidence.of(known, self.labels, self.tradable, self.kind, settings.horizon, settings.rebalance, self.decisions)

    def direction(self, found: Evidence) -> int:
        """The sign of the rank IC on train, or the one that was given; +1 where there is no telling."""
        if self.settings.direction != "train":
            return int(self.settings.direction)
        return -1 if found.rank_ic(self.slices[0]).value < 0 else 1

    def books(self, values: Array, directions: Sequence[int]) -> list[Book]:
        market, settings = self.market, self.settings
        rows = self.decisions
        weights = np.zeros((rows.size, len(values), len(market.symbols)))
        for i, (each, direction) in enumerate(zip(values, directions, strict=True)):
            stood = standing(each, settings, market.timeframe, market.first) if settings.scheme in TIME else each
            wanted = np.where(self.tradable[rows], stood[rows] * direction, np.nan)
            weights[:, i] = positions(wanted, settings, None if self.risk is None else self.risk[rows])
        return simulate_many(market, rows, weights, settings, held=self.details)

    def judged(self, name: str, canonical: str, unsigned: Evidence, direction: int, book: Book) -> Backtest:
        """Every figure of one factor."""
        market, settings = self.market, self.settings
        found = unsigned.signed(direction)
        known = found.values[market.begin :]
        whole = np.zeros(market.rows, bool)
        whole[market.begin :] = True
        regime_rows = {name: self.regimes.rows(name) & whole for name in NAMES} if self.regimes else {}
        return Backtest(
            factor=name,
            canonical=canonical,
            direction=direction,
            symbols=market.symbols,
            timeframe=market.timeframe,
            start=market.open_ms(market.begin),
            stop=market.open_ms(market.rows),
            bars=market.rows - market.begin,
            settings=settings,
            metrics=self.figures(found, book, whole, every=True),
            slices={part.name: self.part(found, book, _mask(part, market.rows)) for part in self.slices},
            by_regime={name: self.part(found, book, rows, drawn=False) for name, rows in regime_rows.items() if rows.any()},
            folds=tuple(self.folds(unsigned)) if self.details else (),
            quantiles=self.quantiles(known) if self.details else None,
            ic_decay=self.decay(known) if self.details else None,
            warnings=(*market.warnings, *self.warnings(known, book)),
            book=book,
            first=market.begin,
        )

    def part(self, found: Evidence, book: Book, rows: Mask, drawn: bool = True) -> Part:
        at = np.flatnonzero(rows)
        start, stop = self.market.open_ms(int(at[0])), self.market.open_ms(int(at[-1]) + 1)
        return Part(start, stop, at.size, self.figures(found, book, rows, drawn=drawn))

    def figures(self, found: Evidence, book: Book, rows: Mask, every: bool = False, drawn: bool = True) -> Figures:
        """Of the decisions in these rows, and of the bars in which they were held.

        every  all rows: capacity and trades as well;  drawn  with the bootstrap, where there are details
        """
        settings, market = self.settings, self.market
        held = np.zeros(rows.size, bool)
        held[settings.latency :] = rows[: rows.size - settings.latency]
        at = np.flatnonzero(held)
        draws = settings.draws if self.details and drawn else 0
        volume = None
        if every and book.traded is not None:
            volume = np.where(np.isnan(market.turnover), market.volume * market.close, market.turnover)[at]
        worth = performance(
            book.returns[at], market.timeframe, gross=book.gross[at], traded=book.turnover[at], costs=book.costs[at],
            trades=book.traded[at] if volume is not None and book.traded is not None else None, volume=volume,
            draws=draws, seed=settings.seed,
        )  # fmt: skip
        figures: Figures = {name: getattr(worth, name) for name in worth.__struct_fields__}
        figures |= with_errors(worth, book.returns[at], market.timeframe, draws, settings.seed)
        paid: Figures = {"costs": float(book.costs[at].sum()), "funding": float(book.funding[at].sum()), "net": _mean(book.net[at])}
        return figures | found.figures(rows) | paid | ({"trades": book.trades} if every else {})

    def folds(self, unsigned: Evidence) -> Iterator[FoldFigures]:
        """The walk forward: each step with the sign that its past had."""
        market, settings = self.market, self.settings
        for fold in walk_forward(market.begin, market.rows, settings.folds, settings.purge, settings.embargo, settings.anchored):
            sign = -1 if unsigned.rank_ic(fold.train).value < 0 else 1
            found = unsigned.signed(sign).rank_ic(fold.test)
            yield FoldFigures(market.open_ms(fold.test.start), market.open_ms(fold.test.stop), sign, found)

    def decay(self, known: Array) -> Decay:
        horizons = self.settings.horizons
        return decay_of(known, [self.labelled(horizon)[self.market.begin :] for horizon in horizons], horizons, self.kind)

    def quantiles(self, known: Array) -> Quantiles:
        return quantile_returns(
            known, self.labels[self.market.begin :], self.settings.quantiles, self.settings.horizon,
            evidence=self.kind, demean=self.kind == "across", draws=self.settings.draws, seed=self.settings.seed,
        )  # fmt: skip

    def warnings(self, known: Array, book: Book) -> Iterator[str]:
        market, settings = self.market, self.settings
        if said := survivors(self.closing, market.rows, len(market.symbols)):
            yield said
        if not np.isfinite(known).any():
            yield "no value of the factor is known at any bar that could be traded: there was nothing to decide by"
        elif not book.trades:
            yield "nothing was traded: no value of the factor led to a position"
        if book.missed:
            yield f"{book.missed} trades found no price at their bar and lapsed; the position stayed as it was until the next decision"
        if book.stale:
            yield f"{book.stale} bars x symbols were held without a price of their own, at the last known one"
        if book.ended:
            haircut = settings.costs.haircut_bps
            yield f"{book.ended} positions were closed at the last known price less {haircut:g} bps, because the symbol's prices ended"
        if book.ruined >= 0:
            yield f"equity fell to nothing in the bar of row {book.ruined}: the book stands still from there on"
        if settings.test:
            yield "the test slice was opened: what is chosen after having seen it needs other data to be judged by"


def labels_of(market: Market, horizon: int, latency: int = 1) -> Array:
    """What a decision at each close could earn over `horizon` bars, from the open at which it trades; a coin's end is in it."""
    closing = ends(market)
    last = np.where(closing < market.rows, closing - 1, -1)
    labels = forward_returns(market.open, horizon, last=last)
    if latency > 1:
        labels = np.vstack([labels[latency - 1 :], np.full((latency - 1, labels.shape[1]), np.nan)])
    return labels


def _mask(part: Slice, rows: int) -> Mask:
    mask = np.zeros(rows, bool)
    mask[part.start : part.stop] = True
    return mask


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")
