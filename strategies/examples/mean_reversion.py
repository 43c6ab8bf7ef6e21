"""Mean reversion, with a hook that remembers: a stretch away from the mean is sold, and the trade has a clock of its own.

The memory is what makes it a hook: how long each trade has lasted, and that a trade which ran out of patience is not opened again
before the price has been back at its mean.
"""

from strategies.strategy import FLAT, LONG, SHORT, Bar, Parameter, Side, Strategy, Target


class MeanReversion(Strategy):
    """Against a stretch beyond `entry` deviations; out at the mean, or when `patience` bars have not brought it back."""

    window: int = Parameter(120, low=30, high=720, says="bars of the mean")
    entry: float = Parameter(2.0, low=1.0, high=4.0, says="deviations from the mean that open a trade")
    leave: float = Parameter(0.25, low=0.0, high=1.0, says="deviations from the mean that close it")
    patience: int = Parameter(240, low=20, high=1_440, says="bars that a trade may last")

    factors = {
        "stretch": "ts_zscore(close, {window})",
        "quiet": "ts_rank(ts_std(close / delay(close, 1) - 1, {window}), 1440)",
    }
    contributions = ("stretch", "calm")
    rules = {"share": 0.1, "stop_loss": 0.04, "cool_down_bars": 0}

    bars_held: dict[str, int] = {}
    spent: dict[str, bool] = {}

    def begin(self, symbols: tuple[str, ...], timeframe: int) -> None:
        self.bars_held = dict.fromkeys(symbols, 0)
        self.spent = dict.fromkeys(symbols, False)

    def decide(self, bar: Bar) -> dict[str, Side | float | Target] | None:
        wanted: dict[str, Side | float | Target] = {}
        for symbol in bar.symbols:
            if bar.known("stretch", symbol):
                self.watch(bar, symbol, wanted)
        return wanted

    def watch(self, bar: Bar, symbol: str, wanted: dict[str, Side | float | Target]) -> None:
        """One symbol: out, in, or nothing."""
        stretch, side = bar.factor("stretch", symbol), bar.side(symbol)
        near = abs(stretch) <= self.leave
        if near:
            self.spent[symbol] = False
        if side:
            self.bars_held[symbol] += 1
            late = self.bars_held[symbol] >= self.patience
            if near or late or side * stretch > 0:
                self.spent[symbol] = late
                wanted[symbol] = FLAT
        elif abs(stretch) > self.entry and not self.spent[symbol] and not bar.warming:
            self.bars_held[symbol] = 0
            wanted[symbol] = self.explained(stretch, bar.factor("quiet", symbol))

    def explained(self, stretch: float, quiet: float) -> Target:
        """The trade, and why: most of the score is the stretch; a calm market adds to it."""
        sign = -1.0 if stretch > 0 else 1.0
        calm = 0.0 if quiet != quiet else 0.2 * (1.0 - quiet)
        parts = {"stretch": sign * min(0.8, abs(stretch) / 5.0), "calm": sign * calm}
        return Target(SHORT if stretch > 0 else LONG, parts=parts)
