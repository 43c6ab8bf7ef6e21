"""Every setting: one frozen struct a table of config.toml, each key with its meaning, unit and default.

config.toml, docs/config.md and the JSON Schema are made from these structs. Rates are fractions unless the name says bps;
0 switches a limit in bars or a stop off where the text says so.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from bot.config.values import NAME, SYMBOL, Span, note
from feeds.times import Millis

Text = Annotated[str, note("")]


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What is traded, and where its prices come from."""

    mode: Annotated[
        Literal["paper", "demo", "testnet", "live"],
        note("What the bot may do: paper trades on public data without a key; demo and testnet are Bybit's own; live is real money"),
    ] = "paper"
    symbols: Annotated[tuple[Annotated[str, note("", shape=SYMBOL)], ...], note("Linear perpetuals, in this order everywhere")] = (
        "BTCUSDT", "ETHUSDT", "SOLUSDT",
    )  # fmt: skip
    timeframe: Annotated[
        Span, note("Length of a bar: 1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d on Bybit; in a replay any that divides a day", least=60_000)
    ] = Span("1m")
    rest: Annotated[str, note("Address of the REST interface; empty: that of the mode", shape=r"(https?://[^\s/@]+/?)?")] = ""
    stream: Annotated[str, note("Address of the WebSocket interface; empty: that of the mode", shape=r"(wss?://[^\s/@]+/?)?")] = ""
    timeout: Annotated[Span, note("How long an answer is waited for", least=100, most=120_000)] = Span("10s")
    repair: Annotated[Span, note("A bar that the stream has not brought so long after its close is fetched", least=10, most=60_000)] = Span(
        "5s"
    )
    late: Annotated[Span, note("How long a bar close waits for its last symbol; longer than `repair` takes", least=0, most=60_000)] = Span(
        "20s"
    )
    stale: Annotated[Span, note("A bar that comes later than this after its close is not acted on", least=1_000)] = Span("30s")


class NewsFeed(msgspec.Struct, frozen=True, kw_only=True):
    """Headlines by RSS and Atom, scored on arrival."""

    on: Annotated[bool, note("Whether this feed runs in paper and live")] = True
    urls: Annotated[tuple[Annotated[str, note("", shape=r"https?://\S+")], ...], note("News feeds")] = (
        "https://www.coindesk.com/arc/outboundfeeds/rss/",
        "https://cointelegraph.com/rss",
        "https://decrypt.co/feed",
    )
    social: Annotated[
        tuple[Annotated[str, note("", shape=r"https?://\S+")], ...], note("Feeds of what people say; they make sentiment_social")
    ] = ("https://www.reddit.com/r/CryptoCurrency/.rss",)
    every: Annotated[Span, note("Time between two polls of one address", least=10_000)] = Span("2m")


class ChainFeed(msgspec.Struct, frozen=True, kw_only=True):
    """On-chain observations, each from the moment it was published."""

    on: Annotated[bool, note("Whether this feed runs in paper and live")] = True
    every: Annotated[Span, note("Time between two polls", least=60_000)] = Span("1h")
    coin_metrics: Annotated[bool, note("Exchange flows and active addresses of the symbols' coins (Coin Metrics community)")] = True
    defillama: Annotated[bool, note("Value locked in protocols and supply of stablecoins (DefiLlama)")] = True


class TickerFeed(msgspec.Struct, frozen=True, kw_only=True):
    """Mark prices and funding rates of the exchange."""

    on: Annotated[bool, note("Whether this feed runs in paper and live")] = True


class Feeds(msgspec.Struct, frozen=True, kw_only=True):
    """What else the bot listens to in paper and live; a replay reads files."""

    queue: Annotated[int, note("Events that may wait; a full queue makes the feeds wait", "events", least=16, most=1_000_000)] = 10_000
    warm_up: Annotated[
        int, note("Bars fetched before the first decision, at least; factors that need more get more", "bars", least=0, most=100_000)
    ] = 0
    news: NewsFeed = NewsFeed()
    chain: ChainFeed = ChainFeed()
    tickers: TickerFeed = TickerFeed()


class SignalWeights(msgspec.Struct, frozen=True, kw_only=True):
    """The built-in signals and their weights in the fusion; 0 switches one off."""

    price_momentum: Annotated[float, note("The move over `momentum` bars, in units of a random walk", "weight", least=0, most=10)] = 0.25
    volume_breakout: Annotated[float, note("Volume far above its mean, in the direction of the move", "weight", least=0, most=10)] = 0.20
    sentiment_news: Annotated[float, note("Mean sentiment of the stories that still count", "weight", least=0, most=10)] = 0.20
    sentiment_social: Annotated[float, note("The same of what people say", "weight", least=0, most=10)] = 0.15
    onchain_flow: Annotated[float, note("Coins leaving the exchanges, against their trailing observations", "weight", least=0, most=10)] = (
        0.20
    )
    whale_accumulation: Annotated[float, note("Balance change of large holders, likewise", "weight", least=0, most=10)] = 0.10
    factors: Annotated[float, note("Each factor of [strategy.factors] that has no weight of its own", "weight", least=0, most=10)] = 0.10


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """How far signals look back, and how long slow inputs count."""

    momentum: Annotated[int, note("price_momentum and the direction of volume_breakout", "bars", least=1, most=100_000)] = 720
    volume: Annotated[int, note("Mean volume that volume_breakout compares with", "bars", least=2, most=100_000)] = 60
    scale: Annotated[int, note("Trailing statistics that scale signals into [-1, 1]", "bars", least=2, most=100_000)] = 1440
    volatility: Annotated[int, note("Volatility that sizes positions", "bars", least=2, most=100_000)] = 1440
    metric: Annotated[Span, note("A metric without a newer observation is not known after this long", least=60_000)] = Span("3d")
    story: Annotated[Span, note("A story counts for this long", least=60_000)] = Span("12h")
    observations: Annotated[int, note("Observations that a metric is compared with", "observations", least=2, most=10_000)] = 90
    least_observations: Annotated[
        int, note("Observations below which the comparison is not known", "observations", least=2, most=10_000)
    ] = 10


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """From numbers to LONG, SHORT or HOLD."""

    dialect: Annotated[
        Literal["auto", "sluice", "worldquant", "gtja", "qlib", "alphagen", "pandas"],
        note("Language of the factor texts; auto: found out, and asked for where several fit and differ"),
    ] = "auto"
    normalise: Annotated[
        Literal["absmax", "zscore", "rank", "none"],
        note("How a factor becomes a signal: by its largest trailing value, tanh of its z-score, its trailing rank, or cut to -1 .. 1"),
    ] = "absmax"
    normalise_window: Annotated[int, note("Trailing bars of that scale", "bars", least=2, most=100_000)] = 1440
    entry_threshold: Annotated[float, note("LONG above it, SHORT below minus it", "score", above=0, below=1)] = 0.3
    exit_threshold: Annotated[
        float, note("A position ends when the score falls back through it; 0: at the change of sign", "score", least=0, below=1)
    ] = 0.0
    min_confidence: Annotated[float, note("Confidence that an entry must pass", "fraction", least=0, below=1)] = 0.5
    file: Annotated[str, note("A strategy of your own: a Python file beside this one (docs/strategies.md); empty: the signals below")] = ""
    code: Annotated[str, note("The source of a strategy itself, in place of a file")] = ""
    signals: SignalWeights = SignalWeights()
    windows: Windows = Windows()
    factors: Annotated[
        dict[str, Text],
        note('Factors to trade: name = "text", or name = "FILE.py" or "FILE.txt" beside this file, with one factor', keys=NAME),
    ] = {}
    dialects: Annotated[
        dict[str, Annotated[Literal["auto", "sluice", "worldquant", "gtja", "qlib", "alphagen", "pandas"], note("")]],
        note("Languages of single factors: name = language", keys=NAME),
    ] = {}
    weights: Annotated[
        dict[str, Annotated[float, note("", least=0, most=10)]], note("Weights of single factors: name = weight", keys=NAME)
    ] = {}
    parameters: Annotated[
        dict[str, Annotated[bool | int | float | str, note("")]], note("Parameters of the strategy file: name = value", keys=NAME)
    ] = {}


class Trading(msgspec.Struct, frozen=True, kw_only=True):
    """From a decision to the size and shape of an order."""

    sizing: Annotated[
        Literal["fixed", "volatility", "notional"],
        note("fixed: `share` of equity; volatility: as much as meets `target_volatility`; notional: `notional`, whatever the equity"),
    ] = "fixed"
    share: Annotated[
        Decimal, note("Notional of a position; with volatility sizing the most of it", "fraction of equity", above=0, most=10)
    ] = Decimal("0.1")
    notional: Annotated[Decimal, note("Worth of a position at the close that decides, with sizing notional", "USDT", above=0)] = Decimal(
        1000
    )
    target_volatility: Annotated[Decimal, note("Volatility that each position adds, a year", "fraction of equity", above=0, most=5)] = (
        Decimal("0.1")
    )
    reversal: Annotated[
        Literal["flip", "flat"], note("The opposite decision turns the position round in one order, or first goes flat")
    ] = "flip"
    long_only: Annotated[bool, note("SHORT only closes")] = False
    order_type: Annotated[Literal["market", "limit"], note("Of entries; exits are market orders")] = "market"
    limit_offset_bps: Annotated[Decimal, note("A limit entry stands this far from the close, on our side", "bps", least=0, most=1_000)] = (
        Decimal(2)
    )
    post_only: Annotated[bool, note("A limit entry that would take is cancelled instead")] = False
    limit_bars: Annotated[int, note("A limit entry that was not filled is taken back after this long", "bars", least=1, most=10_000)] = 5
    stop_loss: Annotated[Decimal, note("Stop attached to the entry; 0: none", "fraction of the price", least=0, below=1)] = Decimal("0.02")
    take_profit: Annotated[Decimal, note("Target attached to the entry; 0: none", "fraction of the price", least=0, most=10)] = Decimal(0)
    cool_down_bars: Annotated[int, note("No entry in a symbol for this long after its position ended", "bars", least=0, most=100_000)] = 60
    max_bars: Annotated[int, note("A position ends after this long; 0: no limit", "bars", least=0, most=10_000_000)] = 0
    rebalance_band: Annotated[
        float, note("A strategy's target moves a position only when it is this far from it", "fraction of equity", least=0, most=1)
    ] = 0.01


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """What no order may pass. A refusal carries its code; see docs/fills.md and `sluice why-not`."""

    max_order_notional: Annotated[Decimal, note("Largest order (D_ORDER_SIZE)", "USDT", above=0)] = Decimal(5000)
    max_order_share: Annotated[Decimal, note("Largest order, whichever is less (D_ORDER_SIZE)", "fraction of equity", above=0, most=10)] = (
        Decimal(1)
    )
    max_position_share: Annotated[Decimal, note("Largest position (D_POSITION)", "fraction of equity", above=0, most=10)] = Decimal("0.2")
    max_gross: Annotated[Decimal, note("All positions together (D_GROSS)", "fraction of equity", above=0, most=10)] = Decimal("0.6")
    max_leverage: Annotated[
        Decimal, note("Gross exposure and waiting orders against equity (D_LEVERAGE)", "times equity", above=0, most=100)
    ] = Decimal(2)
    collar: Annotated[
        Decimal, note("Furthest an order's price may be from the last price (D_COLLAR)", "fraction of the price", above=0, below=1)
    ] = Decimal("0.01")
    daily_loss: Annotated[Decimal, note("Loss since 00:00 UTC that leaves only exits: REDUCING", "fraction of equity", above=0, most=1)] = (
        Decimal("0.03")
    )
    max_drawdown: Annotated[
        Decimal, note("Fall from the highest equity that stops trading: HALTED", "fraction of equity", above=0, most=1)
    ] = Decimal("0.1")
    drawdown_flattens: Annotated[bool, note("Whether every position is closed when max_drawdown is reached")] = True
    orders_per_minute: Annotated[int, note("Order rate (D_RATE)", "orders", least=1, most=10_000)] = 60
    orders_per_day: Annotated[int, note("Order rate (D_RATE)", "orders", least=1, most=1_000_000)] = 500
    round_trips_per_hour: Annotated[
        int, note("Positions that may be opened and closed again in one symbol (D_RATE)", "round trips", least=1, most=10_000)
    ] = 6
    max_data_age: Annotated[Span, note("No entry on prices older than this (D_STALE); 0: three bars", least=0)] = Span(0)

    def data_age(self, timeframe: Millis) -> Millis:
        """Milliseconds after which a price is stale, with three bars for 0."""
        return int(self.max_data_age) or 3 * timeframe


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What a trade costs, on the pessimistic side; a replay and paper pay all of it."""

    taker_bps: Annotated[Decimal, note("Fee of an order that takes", "bps of notional", least=0, most=1_000)] = Decimal("5.5")
    maker_bps: Annotated[Decimal, note("Fee of an order that waits; negative: a rebate", "bps of notional", least=-10, most=1_000)] = (
        Decimal("2")
    )
    spread_bps: Annotated[Decimal, note("Distance between bid and ask; a taker pays half", "bps of the price", least=0, most=1_000)] = (
        Decimal("1")
    )
    slippage_bps: Annotated[Decimal, note("What a taker pays beyond the spread, always", "bps of the price", least=0, most=1_000)] = (
        Decimal("1")
    )
    impact: Annotated[
        Decimal,
        note("Slippage of an order as large as the bar's volume; it grows with the square root", "bps of the price", least=0, most=10_000),
    ] = Decimal(100)


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """How simulated orders meet the market (docs/fills.md)."""

    latency_ms: Annotated[int, note("From the decision to the order's arrival", "ms", least=0, most=600_000)] = 250
    volume_share: Annotated[Decimal, note("Largest part of a bar's volume that our orders get", "fraction", above=0, most=1)] = Decimal(
        "0.1"
    )


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Whose money."""

    name: Annotated[str, note("Name of the account; live asks for it to be typed", shape=r"[A-Za-z0-9_.-]{0,64}")] = "paper"
    cash: Annotated[Decimal, note("What a new replay or paper run begins with", "USDT", above=0, most=1_000_000_000_000)] = Decimal(10_000)
    secrets: Annotated[str, note("File of keys, readable by its owner alone (0600); the environment comes first")] = ".sluice/secrets.env"


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """Where the books are."""

    path: Annotated[str, note("SQLite file of paper and live", shape=r"[^\0]+")] = ".sluice/sluice.db"


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What `sluice replay` reads when its options do not say."""

    candles: Annotated[tuple[Text, ...], note("Parquet or CSV files, or folders of them")] = ()
    funding: Annotated[tuple[Text, ...], note("Funding settlements")] = ()
    venue: Annotated[
        str, note("Whose funding to take where files hold several; empty: the one with most rows", shape=r"[a-z0-9_-]{0,32}")
    ] = ""
    metrics: Annotated[tuple[Text, ...], note("On-chain and other metrics")] = ()
    news: Annotated[tuple[Text, ...], note("Headlines")] = ()
    block: Annotated[
        int, note("Bars, over all symbols, that are computed at once; changes the speed and nothing else", "bars", least=1, most=1_000_000)
    ] = 16_384


class Demo(msgspec.Struct, frozen=True, kw_only=True):
    """The bundled market of `sluice demo`: synthetic, from a seed."""

    seed: Annotated[int, note("Seed of the market", least=0)] = 7
    days: Annotated[int, note("Length of the history that is made", "days", least=1, most=366)] = 21
    speed: Annotated[float, note("How much faster than the clock it runs", "times", above=0, most=100_000)] = 60.0


class InstrumentOverride(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange says of a symbol, where it cannot be asked; 0: as the exchange or the built-in rule says."""

    tick: Annotated[Decimal, note("Price step", "USDT", least=0)] = Decimal(0)
    lot: Annotated[Decimal, note("Quantity step", "base units", least=0)] = Decimal(0)
    least_quantity: Annotated[Decimal, note("Smallest order", "base units", least=0)] = Decimal(0)
    least_notional: Annotated[Decimal, note("Smallest order that opens", "USDT", least=0)] = Decimal(0)
    most_quantity: Annotated[Decimal, note("Largest market order", "base units", least=0)] = Decimal(0)
    funding: Annotated[Span, note("Usual time between funding settlements", least=0)] = Span(0)
    max_leverage: Annotated[Decimal, note("Of the venue", "times", least=0, most=1_000)] = Decimal(0)
    maintenance: Annotated[Decimal, note("Margin at which it liquidates", "fraction of notional", least=0, below=1)] = Decimal(0)


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All settings."""

    exchange: Exchange = Exchange()
    feeds: Feeds = Feeds()
    strategy: Strategy = Strategy()
    trading: Trading = Trading()
    risk: Risk = Risk()
    costs: Costs = Costs()
    execution: Execution = Execution()
    account: Account = Account()
    store: Store = Store()
    replay: Replay = Replay()
    demo: Demo = Demo()
    instruments: Annotated[dict[str, InstrumentOverride], note("One table a symbol: [instruments.BTCUSDT]", keys=SYMBOL)] = {}
