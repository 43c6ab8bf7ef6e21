"""Files on disk as the market that research tries factors on."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from bot.research.market import Sources
from bot.research.universe import read_universe
from feeds.funding_files import FundingFile
from feeds.metric_files import MetricFile
from feeds.news_files import NewsFile
from feeds.panel_files import read_panel


def open_market(
    candles: Iterable[str | Path], symbols: Collection[str] = (), timeframe: int | None = None, *, funding: Sequence[str | Path] = (),
    metrics: Sequence[str | Path] = (), news: Sequence[str | Path] = (), universe: Path | None = None, largest: int = 0,
    venue: str | None = None,
) -> Sources:  # fmt: skip
    """Candles, with funding, metrics and headlines beside them and a universe of who could be traded when.

    symbols   those wanted (empty: all);  timeframe  milliseconds (None: the commonest step of the times)
    universe  a file of memberships;  largest  only so many of each of its snapshots (0: all)
    venue     the one to take funding of, where a symbol has several
    Raises BadData with file, row and column.
    """
    panel = read_panel(candles, symbols, timeframe)
    return Sources(
        panel,
        FundingFile(funding, panel.symbols, venue) if funding else None,
        MetricFile(metrics, panel.symbols) if metrics else None,
        NewsFile(news, panel.symbols) if news else None,
        read_universe(universe, largest) if universe else None,
    )
