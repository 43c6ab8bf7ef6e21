"""What settings must be to each other. Each rule names the settings that it is about; the first of them is the one refused."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from bot.config.read import Problem
from bot.config.suggest import closest
from bot.config.tables import Config, SignalWeights
from bot.config.values import Span, written
from feeds.instruments import base_of
from feeds.times import DAY, MINUTE, span_text


class Rule(NamedTuple):
    """about  dotted settings; check  yields what is wrong (None: nothing)"""

    about: tuple[str, ...]
    check: Callable[[Config], Iterator[Problem]]


def problems(config: Config, refused: set[str]) -> Iterator[Problem]:
    """What does not fit together; rules about a setting that was `refused` already are not asked."""
    for rule in RULES:
        if not refused.intersection(rule.about):
            yield from (problem._replace(near=rule.about) for problem in rule.check(config))


def _problem(name: str, message: str, suggestion: str = "") -> Problem:
    return Problem(tuple(name.split(".")), "value", message, suggestion)


def _symbols(config: Config) -> Iterator[Problem]:
    symbols = config.exchange.symbols
    if not symbols:
        yield _problem("exchange.symbols", "there is nothing to trade", '["BTCUSDT"]')
    for number, symbol in enumerate(symbols):
        if symbol in symbols[:number]:
            yield Problem(("exchange", "symbols", number), "value", f"{written(symbol)} is there already")


def _overrides(config: Config) -> Iterator[Problem]:
    """A symbol that is not traded may be one of a replay's files; another spelling of one that is traded is a slip."""
    traded = config.exchange.symbols
    for symbol in config.instruments:
        same = next((one for one in traded if base_of(one) == base_of(symbol)), "")
        if symbol not in traded and (same or base_of(symbol) == symbol):
            yield Problem(("instruments", symbol), "key", "is not among exchange.symbols", same or closest(symbol, traded))


def _timeframe(config: Config) -> Iterator[Problem]:
    if config.exchange.timeframe % 60_000:
        yield _problem("exchange.timeframe", "a bar is a whole number of minutes", '"1m"')
    elif DAY % config.exchange.timeframe:
        near = next(n for n in range(min(config.exchange.timeframe, DAY) // MINUTE, 0, -1) if DAY // MINUTE % n == 0)
        yield _problem("exchange.timeframe", "bars divide a day into equal parts", written(Span(near * MINUTE)))
    elif config.exchange.late >= config.exchange.timeframe:
        yield _problem("exchange.late", f"a bar close cannot wait longer than a bar of {config.exchange.timeframe}", '"20s"')

    elif config.exchange.repair >= config.exchange.late:
        meant = written(Span(2 * config.exchange.repair))
        yield _problem("exchange.late", f"a bar is only fetched {config.exchange.repair} after its close (repair): wait longer", meant)


def _data_age(config: Config) -> Iterator[Problem]:
    if 0 < config.risk.max_data_age <= config.exchange.timeframe:
        meant = span_text(3 * config.exchange.timeframe)
        yield _problem(
            "risk.max_data_age", f"a price is as old as a bar of {config.exchange.timeframe} before the next one comes", written(meant)
        )


def _thresholds(config: Config) -> Iterator[Problem]:
    entry, leave = config.strategy.entry_threshold, config.strategy.exit_threshold
    if leave > entry:
        yield _problem("strategy.exit_threshold", f"a position would end before it begins: entry_threshold is {entry}", str(entry))


def _something_to_say(config: Config) -> Iterator[Problem]:
    weights = config.strategy.signals
    if config.strategy.code:
        return
    if not config.strategy.factors and not any(getattr(weights, name) for name in weights.__struct_fields__ if name != "factors"):
        yield _problem("strategy.signals", "every signal has weight 0 and there are no factors: nothing would ever be decided")


def _factor_names(config: Config) -> Iterator[Problem]:
    for name in config.strategy.factors:
        if name in SignalWeights.__struct_fields__:
            yield Problem(("strategy", "factors", name), "key", "is the name of a built-in signal", f"my_{name}")
    for table in ("weights", "dialects"):
        for name in getattr(config.strategy, table):
            if name not in config.strategy.factors:
                yield Problem(("strategy", table, name), "key", "no factor has this name", closest(name, config.strategy.factors))


def _observations(config: Config) -> Iterator[Problem]:
    windows = config.strategy.windows
    if windows.least_observations > windows.observations:
        yield _problem(
            "strategy.windows.least_observations", f"only {windows.observations} observations are kept", str(windows.observations)
        )


def _notional(config: Config) -> Iterator[Problem]:
    notional, most = config.trading.notional, config.risk.max_order_notional
    if config.trading.sizing == "notional" and notional > most:
        yield _problem("trading.notional", f"risk would refuse every entry: risk.max_order_notional is {most}", str(most))


def _share(config: Config) -> Iterator[Problem]:
    if config.trading.sizing == "notional":
        return
    share, most = config.trading.share, config.risk.max_position_share
    if share > most:
        yield _problem("trading.share", f"risk would refuse every entry: risk.max_position_share is {most}", str(most))
    elif share > config.risk.max_order_share:
        yield _problem("trading.share", f"risk would refuse every entry: risk.max_order_share is {config.risk.max_order_share}")
    elif config.trading.sizing == "fixed" and share * config.account.cash > config.risk.max_order_notional:
        least = share * config.account.cash
        yield _problem(
            "risk.max_order_notional", f"every entry would be refused: share x cash is {least.normalize():f} USDT", f"{least.normalize():f}"
        )


def _exposure(config: Config) -> Iterator[Problem]:
    if config.risk.max_position_share > config.risk.max_gross:
        gross = config.risk.max_gross
        yield _problem("risk.max_position_share", f"one position cannot be larger than all together: max_gross is {gross}", str(gross))
    if config.risk.max_gross > config.risk.max_leverage:
        yield _problem("risk.max_gross", f"is above max_leverage, {config.risk.max_leverage}", str(config.risk.max_leverage))


def _feeds(config: Config) -> Iterator[Problem]:
    if config.feeds.news.on and not config.feeds.news.urls and not config.feeds.news.social:
        yield _problem("feeds.news.on", "there is no address to poll: give urls, or", "false")


def _live(config: Config) -> Iterator[Problem]:
    if config.exchange.mode == "live" and config.account.name in ("", "paper"):
        yield _problem("account.name", "live needs the name of the account that it trades: it is asked for before the first order")


RULES = (
    Rule(("exchange.symbols",), _symbols),
    Rule(("instruments", "exchange.symbols"), _overrides),
    Rule(("exchange.late", "exchange.repair", "exchange.timeframe"), _timeframe),
    Rule(("risk.max_data_age", "exchange.timeframe"), _data_age),
    Rule(("strategy.exit_threshold", "strategy.entry_threshold"), _thresholds),
    Rule(("strategy.signals", "strategy.factors"), _something_to_say),
    Rule(("strategy.factors", "strategy.weights", "strategy.dialects"), _factor_names),
    Rule(("strategy.windows.least_observations", "strategy.windows.observations"), _observations),
    Rule(
        ("trading.share", "risk.max_position_share", "account.cash", "risk.max_order_notional", "risk.max_order_share", "trading.sizing"),
        _share,
    ),
    Rule(("risk.max_position_share", "risk.max_gross", "risk.max_leverage"), _exposure),
    Rule(("feeds.news.on", "feeds.news.urls", "feeds.news.social"), _feeds),
    Rule(("trading.notional", "trading.sizing", "risk.max_order_notional"), _notional),
    Rule(("account.name", "exchange.mode"), _live),
)
