"""A back-test as the document of `--json` and as tables for people: every figure with its error, by slice and by regime."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from bot.render import clock, money, percent, plain, signed
from bot.research.backtest import Backtest
from bot.research.estimates import Bootstrap, Estimate
from bot.research.evidence import Figure, Figures, Part
from feeds.times import span_text

Document = dict[str, Any]  # Any: values of several kinds
Form = Callable[[float], str]


class Table(NamedTuple):
    """Rows of text below a title; `right` are the columns that hold numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()
    note: str = ""


def _share(value: float) -> str:
    return percent(value)


def _count(value: float) -> str:
    return "." if value != value else f"{value:,.0f}"


def _plain(digits: int) -> Form:
    return lambda value: "." if value != value else f"{value:.{digits}f}"


def _signed(digits: int) -> Form:
    return lambda value: signed(value, digits)


def _money(value: float) -> str:
    return money(value, 0)


# name in the document, what people read, how it is written
ROWS: tuple[tuple[str, str, Form], ...] = (
    ("total_return", "total return", _share),
    ("annual_return", "annual return", _share),
    ("volatility", "volatility, annual", _share),
    ("sharpe", "Sharpe", _signed(2)),
    ("sortino", "Sortino", _signed(2)),
    ("calmar", "Calmar", _signed(2)),
    ("max_drawdown", "max drawdown", _share),
    ("win_rate", "win rate of bars", _share),
    ("profit_factor", "profit factor", _plain(2)),
    ("ic", "IC", _signed(4)),
    ("rank_ic", "rank IC", _signed(4)),
    ("icir", "ICIR", _signed(3)),
    ("rank_icir", "rank ICIR", _signed(3)),
    ("hit_rate", "IC hit rate", _share),
    ("autocorrelation", "autocorrelation", _signed(3)),
    ("coverage", "coverage", _share),
    ("turnover", "turnover, a day", _plain(3)),
    ("break_even_bps", "break-even, bps", _signed(1)),
    ("costs", "costs, of equity", _share),
    ("funding", "funding, of equity", _share),
    ("exposure", "gross exposure", _plain(2)),
    ("net", "net exposure", _signed(3)),
    ("skew", "skew", _signed(2)),
    ("kurtosis", "excess kurtosis", _plain(1)),
    ("expected_shortfall", "worst 5 % of bars", _share),
    ("capacity_1pct", "capacity, 1 % of volume", _money),
    ("capacity_5pct", "capacity, 5 % of volume", _money),
    ("trades", "trades", _count),
)


def document(found: Backtest) -> Document:
    """The whole of it; NaN becomes null."""
    figures: Document = dict(found.metrics)
    groups: list[Document] = []
    horizons: list[Document] = []
    if found.quantiles is not None:
        q = found.quantiles
        figures |= {"quantile_spread": q.spread, "monotonicity": q.monotonicity}
        pairs = zip(q.means, q.turnover, strict=True)
        groups = [{"quantile": i, "mean_return": mean, "turnover": turnover} for i, (mean, turnover) in enumerate(pairs, 1)]
    if found.ic_decay is not None:
        d = found.ic_decay
        figures["half_life"] = d.half_life
        horizons = [{"horizon": h, "ic": ic, "rank_ic": ranked} for h, ic, ranked in zip(d.horizons, d.ic, d.rank_ic, strict=True)]
    return {
        "factor": found.factor,
        "canonical": found.canonical,
        "direction": found.direction,
        "symbols": found.symbols,
        "timeframe": span_text(found.timeframe),
        "start": found.start,
        "stop": found.stop,
        "bars": found.bars,
        "settings": found.settings,
        "metrics": figures,
        "by_regime": found.by_regime,
        "quantiles": groups,
        "ic_decay": horizons,
        "walk_forward": found.folds,
        "slices": found.slices,
        "warnings": found.warnings,
    }


def number(figure: Figure | None) -> float:
    """The value of a figure; NaN where it is not there."""
    if isinstance(figure, Estimate | Bootstrap):
        return figure.value
    return math.nan if figure is None else float(figure)


def written(figure: Figure | None, form: Form, error: bool = True) -> str:
    """A figure with its error: `+0.0123 ± 0.0040`."""
    value = number(figure)
    text = form(value)
    if error and isinstance(figure, Estimate | Bootstrap) and figure.error == figure.error and value == value:
        text += f" ± {form(figure.error).lstrip('+')}"
    return text


def title(found: Backtest) -> list[tuple[str, str]]:
    """What was tried, and how."""
    settings = found.settings
    names = ", ".join(found.symbols[:12]) + (f" and {len(found.symbols) - 12} more" if len(found.symbols) > 12 else "")
    rows = [("factor", plain(found.factor, 200))]
    if found.canonical and found.canonical != found.factor:
        rows.append(("canonical", plain(found.canonical, 400)))
    return [
        *rows,
        ("direction", f"{found.direction:+d}" + (", found on train" if settings.direction == "train" else ", as told")),
        ("symbols", f"{len(found.symbols)}: {names}"),
        ("bars", f"{found.bars:,} of {span_text(found.timeframe)}, {clock(found.start)[:16]} to {clock(found.stop)[:16]}"),
        ("slices", _slices(found)),
        ("positions", _positions(found)),
        ("costs", _costs(found)),
        ("label", f"open to open over {settings.horizon} bars, {settings.latency} after the close that decides"),
    ]


def _slices(found: Backtest) -> str:
    parts = [f"{name} to {clock(part.stop)[:16]}" for name, part in found.slices.items()]
    closed = found.settings.shares[2]
    left = f"; the last {closed:.0%} of the bars stay closed until --test" if closed and not found.settings.test else ""
    return ", ".join(parts) + left


def tables(found: Backtest) -> list[Table]:
    """Figures by slice and by regime, quantiles, decay and the walk forward."""
    columns = {"all": found.metrics, **{name: part.metrics for name, part in found.slices.items()}}
    kept = [_spans("Figures by slice", found.slices, columns, ROWS, found.bars)]
    if found.by_regime:
        shown = [row for row in ROWS if row[0] in BY_REGIME]
        kept.append(_spans("Figures by regime", found.by_regime, {name: part.metrics for name, part in found.by_regime.items()}, shown))
    return kept + [table for table in (_quantiles(found), _decay(found), _folds(found)) if table is not None]


BY_REGIME = ("annual_return", "volatility", "sharpe", "max_drawdown", "rank_ic", "hit_rate", "turnover")


def _spans(
    name: str, parts: Mapping[str, Part], columns: Mapping[str, Figures], shown: Iterable[tuple[str, str, Form]], total: int = 0
) -> Table:
    sizes = tuple(f"{parts[key].bars if key in parts else total:,}" for key in columns)
    rows = [("bars", *sizes), *((label, *(written(c.get(key), form) for c in columns.values())) for key, label, form in shown)]
    known = tuple(row for row in rows if any(cell not in ("", ".") for cell in row[1:]))
    return Table(
        name, ("", *(key.replace("_", " ") for key in columns)), known, tuple(range(1, len(columns) + 1)), "value ± standard error"
    )


def _quantiles(found: Backtest) -> Table | None:
    q = found.quantiles
    if q is None:
        return None
    rows = [(str(i), written(mean, _bps), _t(mean), written(turned, _share, False)) for i, (mean, turned) in enumerate(_both(q), 1)]
    rows += [("highest - lowest", written(q.spread, _bps), _t(q.spread), ""), ("monotonicity", written(q.monotonicity, _signed(2)), "", "")]
    says = f"mean return over {q.horizon} bars, bps; 1 holds the lowest values" + (
        ", less the mean of all symbols" if q.evidence == "across" else ", each symbol's values ranked over time"
    )
    return Table("Returns by quantile", ("quantile", "return", "t", "changed"), tuple(rows), (1, 2, 3), says)


def _both(q: Any) -> Iterable[tuple[Estimate, Estimate]]:  # Any: bot.research.quantiles.Quantiles
    return zip(q.means, q.turnover, strict=True)


def _bps(value: float) -> str:
    return signed(1e4 * value, 1)


def _t(figure: Estimate) -> str:
    return _signed(1)(figure.t)


def _decay(found: Backtest) -> Table | None:
    d = found.ic_decay
    if d is None:
        return None
    rows = tuple(
        (str(h), written(ic, _signed(4)), _t(ic), written(ranked, _signed(4)), _t(ranked))
        for h, ic, ranked in zip(d.horizons, d.ic, d.rank_ic, strict=True)
    )
    life = d.half_life.value
    note = f"half-life {written(d.half_life, _plain(1))} bars" if life == life else "no half-life can be told"
    return Table("IC by horizon", ("bars", "IC", "t", "rank IC", "t"), rows, (0, 1, 2, 3, 4), note)


def _folds(found: Backtest) -> Table | None:
    if not found.folds:
        return None
    rows = tuple(
        (clock(fold.start)[:10], clock(fold.stop)[:10], f"{fold.direction:+d}", written(fold.rank_ic, _signed(4)), _t(fold.rank_ic))
        for fold in found.folds
    )
    kind = "all bars before" if found.settings.anchored else "the part before"
    held = sum(fold.rank_ic.value > 0 for fold in found.folds)
    note = f"the sign is that of {kind}; it held in {held} of {len(rows)}"
    return Table("Walk forward", ("from", "to", "sign", "rank IC", "t"), rows, (3, 4), note)


def _positions(found: Backtest) -> str:
    s = found.settings
    each = span_text(s.rebalance * found.timeframe)
    side = "long only" if s.long_only else "long and short" + ("" if s.scheme[:4] == "time" else ", market neutral")
    late = "the next open" if s.latency == 1 else f"the open {s.latency} bars later"
    return f"{s.scheme}, {side}, every {each} at {late}; gross {s.gross:g}, a name {s.max_weight:g} at most"


def _costs(found: Backtest) -> str:
    c = found.settings.costs
    paid = "funding where the data have it" if found.settings.funding else "no funding"
    return (
        f"fee {c.fee_bps:g} bps, spread {c.spread_bps:g} (half is paid), slippage {c.slippage_bps:g}, "
        f"impact {c.impact_bps:g} x sqrt(share of volume); {paid}; first entry and last exit charged"
    )
