"""From config.toml to the plain values that the parts of a session are made of."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from bot.config.tables import Config
from bot.config.values import Span
from bot.errors import ConfigError
from bot.execution.costs import Costs
from bot.execution.simulated import Fills
from bot.risk import Limits
from bot.trader import Rules
from feeds.bars import CLOSE, COLUMNS, LOW
from feeds.history import History
from feeds.instruments import Instrument, default_instrument
from feeds.times import Millis
from strategies.decision import Thresholds
from strategies.engine import Plan
from strategies.errors import FactorError
from strategies.factors.reading import read
from strategies.signals import SLOW_FIELDS, Signal, Windows, built_in, from_factor
from strategies.snapshot import TRAILING, Ageing

if TYPE_CHECKING:
    from strategies.definition import Definition


def strategy_plan(config: Config, timeframe: Millis, metrics: Collection[str]) -> Plan:
    """The signals and thresholds of a config.

    metrics  names that the feeds give; each is a word of the factor language, and NAME_z too
    Raises FactorError naming the factor, ConfigError for a weight without a factor or when there is nothing to trade.
    """
    strategy, windows = config.strategy, config.strategy.windows
    if strategy.code:
        return _own_plan(config, timeframe, metrics)
    weights = {name: float(getattr(strategy.signals, name)) for name in strategy.signals.__struct_fields__ if name != "factors"}
    signals = built_in(
        {name: weight for name, weight in weights.items() if weight > 0},
        Windows(windows.momentum, windows.volume, windows.scale), timeframe,
    )  # fmt: skip
    signals += _factors(config, timeframe, metrics)
    if not signals:
        raise ConfigError("strategy: every signal has weight 0 and there is no factor; give one a weight, or name a factor")
    return _plan(config, tuple(signals))


def _own_plan(config: Config, timeframe: Millis, metrics: Collection[str]) -> Plan:
    """The plan of a strategy file."""
    parts = definition_of(config).parts(timeframe, _fields(metrics))
    return _plan(config, parts.signals)._replace(
        fusion=parts.fusion, target=parts.target, rebalance=parts.rebalance, hook=parts.hook, warm_up=parts.warm_up
    )


def _plan(config: Config, signals: tuple[Signal, ...]) -> Plan:
    strategy, windows = config.strategy, config.strategy.windows
    return Plan(
        signals,
        Thresholds(strategy.entry_threshold, strategy.min_confidence),
        Ageing(int(windows.metric), int(windows.story), windows.observations, windows.least_observations),
        windows.volatility, int(config.exchange.late), int(config.exchange.stale),
    )  # fmt: skip


def definition_of(config: Config) -> "Definition":
    """The strategy file of a config that has one. Raises StrategyError."""
    from strategies.definition import Definition

    strategy = config.strategy
    return Definition.of(strategy.code, strategy.file or "strategy.py", strategy.parameters)


def texts(config: Config) -> dict[str, str]:
    """What is traded, as text by name: the factors of a config, or what its strategy file declares."""
    return definition_of(config).texts() if config.strategy.code else dict(config.strategy.factors)


def _fields(metrics: Collection[str]) -> set[str]:
    """The words of the language, beside its operators."""
    return {*COLUMNS, *SLOW_FIELDS, *metrics, *(name + TRAILING for name in metrics)}


def _factors(config: Config, timeframe: Millis, metrics: Collection[str]) -> list[Signal]:
    strategy = config.strategy
    unknown = sorted(set(strategy.weights) - set(strategy.factors))
    if unknown:
        raise ConfigError(f"strategy.weights.{unknown[0]}: there is no factor of this name; add it to strategy.factors")
    fields = _fields(metrics)
    signals = []
    for name, text in strategy.factors.items():
        weight = strategy.weights.get(name, strategy.signals.factors)
        try:
            dialect = strategy.dialects.get(name, strategy.dialect)
            node = read(text, dialect=dialect, timeframe=timeframe, fields=fields).node
        except FactorError as error:
            error.add_note(f"in strategy.factors.{name} = {text!r}")
            raise
        if weight > 0:
            signals.append(from_factor(name, node, weight, strategy.normalise, strategy.normalise_window))
    return signals


def limits(config: Config, timeframe: Millis) -> Limits:
    """What no order may pass."""
    return Limits(**_shared(config.risk, Limits) | {"max_data_age": config.risk.data_age(timeframe)})


def costs(config: Config) -> Costs:
    """What a simulated trade costs."""
    return Costs(**_shared(config.costs, Costs))


def fills(config: Config) -> Fills:
    """How simulated orders meet the market."""
    return Fills(**_shared(config.execution, Fills))


def rules(config: Config) -> Rules:
    """From a decision to an order; 0 in the file means none for a stop, a target and a time limit."""
    given = _shared(config.trading, Rules)
    for name in ("stop_loss", "take_profit", "max_bars"):
        given[name] = given[name] or None
    return Rules(**given, exit_threshold=config.strategy.exit_threshold)


def _shared(table: msgspec.Struct, kind: type[msgspec.Struct]) -> dict[str, Any]:  # values are of the kinds that the struct says
    """The settings of a table under their own names, as the part that they are for takes them."""
    return {
        name: int(value) if isinstance(value, Span) else value
        for name in kind.__struct_fields__
        if (value := getattr(table, name, MISSING)) is not MISSING
    }


MISSING = object()


def instruments(config: Config, history: History, known: Mapping[str, Instrument] = MappingProxyType({})) -> dict[str, Instrument]:
    """Of every symbol of a history: as the exchange said (`known`), else by its first close.

    A coin that falls below its tick gets the finer one that its lowest price asks for, as exchanges give it; raises ConfigError where
    the configuration sets a tick that no price of the coin reaches.
    """
    found = {}
    for symbol, lane in zip(history.symbols, history.lanes, strict=True):
        one = instrument(config, symbol, float(lane.columns[CLOSE][0]), known.get(symbol))
        lowest = float(lane.columns[LOW].min())
        if lowest < one.tick:
            override = config.instruments.get(symbol)
            if override is not None and override.tick > 0:
                raise ConfigError(f"instruments.{symbol}.tick is {one.tick}, and {symbol} trades at {lowest:g}; make it smaller")
            one = msgspec.structs.replace(one, tick=default_instrument("", lowest).tick)
        found[symbol] = one
    return found


def instrument(config: Config, symbol: str, price: float, known: Instrument | None = None) -> Instrument:
    """What may be traded of a symbol: as the exchange says, else the built-in rule; a config table overrides single values."""
    base = known or default_instrument(symbol, price)
    override = config.instruments.get(symbol)
    if override is None:
        return base

    def chosen(mine: Decimal, theirs: Decimal) -> Decimal:
        return mine if mine > 0 else theirs

    return Instrument(
        symbol=symbol, tick=chosen(override.tick, base.tick), lot=chosen(override.lot, base.lot),
        least_quantity=chosen(override.least_quantity, base.least_quantity),
        least_notional=chosen(override.least_notional, base.least_notional),
        most_quantity=chosen(override.most_quantity, base.most_quantity), funding_ms=int(override.funding) or base.funding_ms,
        max_leverage=chosen(override.max_leverage, base.max_leverage), maintenance=chosen(override.maintenance, base.maintenance),
    )  # fmt: skip
