"""`sluice strategy`: a strategy of one's own, from the template to what it is made of."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.commands import options
from bot.commands.files import place
from bot.commands.strategy_check import check
from bot.errors import ConfigError
from bot.render import Out
from feeds.times import span_text

if TYPE_CHECKING:
    from strategies.definition import Definition

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
TEMPLATE = '''\
"""{title}: what it trades, and why that should work."""

from strategies.strategy import FLAT, HOLD, LONG, SHORT, Bar, Parameter, Side, Strategy, Targets


class {kind}(Strategy):
    """One sentence: when it buys, when it sells, when it gets out."""

    # What `--set`, [strategy.parameters] and `sluice sweep` may change; a sweep searches from low to high.
    lookback: int = Parameter(240, low=20, high=2_000, says="bars of the trend")
    entry: float = Parameter(1.0, low=0.2, high=3.0, says="standard deviations that make a trend")

    # Computed for whole blocks of bars, and causal by construction: `sluice factor parse` reads them too.
    factors = {{
        "trend": "ts_zscore(close, {{lookback}})",
    }}

    # Settings of [trading], in place of those of config.toml.
    rules = {{"share": 0.1, "stop_loss": 0.03}}

    # What it remembers between bars: annotated, plain values. Each session has its own copy.
    bars_held: dict[str, int] = {{}}

    def begin(self, symbols: tuple[str, ...], timeframe: int) -> None:
        self.bars_held = dict.fromkeys(symbols, 0)

    def decide(self, bar: Bar) -> Targets | None:
        """Called at every bar close, in order. LONG and SHORT are sized by the rules; a number is a fraction of equity to hold."""
        if bar.warming:
            return None
        wanted: dict[str, Side | float] = {{}}
        for symbol in bar.symbols:
            trend = bar.factor("trend", symbol)
            side = bar.side(symbol)  # what was asked for last: 1, -1, or 0
            self.bars_held[symbol] = self.bars_held[symbol] + 1 if side else 0
            if not bar.known("trend", symbol):
                wanted[symbol] = HOLD
            elif trend > self.entry:
                wanted[symbol] = LONG
            elif trend < -self.entry:
                wanted[symbol] = SHORT
            elif side and self.bars_held[symbol] > self.lookback:
                wanted[symbol] = FLAT
        return wanted
'''


@click.group()
def strategy() -> None:
    """Write, show or check a strategy of your own: docs/strategies.md tells how in ten minutes."""


strategy.add_command(check)


@strategy.command(cls=options.Command, examples=("sluice strategy new my_momentum", "sluice strategy new reversal --directory strategies"))
@click.argument("name")
@click.option("--directory", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where to write.  [default: here]")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@options.common
def new(name: str, directory: Path, force: bool, as_json: bool) -> None:
    """Write a commented template NAME.py that runs as it stands."""
    out = Out(as_json)
    plain = name.removesuffix(".py")
    if not NAME.fullmatch(plain):
        raise click.UsageError(f"{name!r} is no name for a strategy: lower-case letters, digits and _, such as my_momentum")
    target = directory / f"{plain}.py"
    if target.exists() and not force:
        raise ConfigError(f"{target} is there already and stays as it is.  Give another name, or --force")
    directory.mkdir(parents=True, exist_ok=True)
    kind = "".join(part.capitalize() for part in plain.split("_"))
    place(target, TEMPLATE.format(title=kind, kind=kind), 0o644)
    lines = [
        f"{target}  class {kind}",
        "",
        f"Next: sluice strategy show {target}",
        f"      sluice replay --strategy {target} --candles ...",
    ]
    out.answer({"file": str(target), "strategy": kind}, lines)


@strategy.command(cls=options.Command, examples=("sluice strategy show my_momentum.py", "sluice strategy show my_momentum.py --json"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--timeframe", type=options.Span(), metavar="1m", default="1m", show_default=True, help="Bar length that texts are read for.")
@options.common
def show(file: Path, timeframe: int, as_json: bool) -> None:
    """Print what a strategy file declares: how it decides, factors, parameters, rules, memory, and the bars that it warms up on.

    Nothing of the file runs before its source is found to be pure. Exit 4 with every place where it is not.
    """
    out = Out(as_json)
    definition = read(file)
    document = described(definition, timeframe)
    out.answer(document, told(document, out))


def read(file: Path) -> "Definition":
    """The strategy of a file. Raises StrategyError."""
    from strategies.definition import Definition

    try:
        source = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {(error.strerror or str(error)).lower()}; sluice strategy new NAME writes one") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8; save the file as UTF-8") from None
    return Definition.of(source, str(file))


def described(definition: "Definition", timeframe: int) -> dict[str, Any]:  # Any: a document
    """The document of `sluice strategy show --json`."""
    from bot.factor_text import vocabulary
    from strategies.declared import memory, tunables
    from strategies.engine import Plan, StrategyEngine

    parts = definition.parts(timeframe, vocabulary(()))
    plan = Plan(
        parts.signals, fusion=parts.fusion, target=parts.target, rebalance=parts.rebalance, warm_up=parts.warm_up, volatility_bars=2
    )
    engine = StrategyEngine(plan, ("SYMBOL",), timeframe)
    ways = {"hook": parts.hook is not None, "target": parts.target is not None, "signals": bool(definition.kind.signals)}
    return {
        "strategy": definition.name, "file": definition.file, "sha256": definition.sha256, "says": (definition.kind.__doc__ or "").strip(),
        "decides_by": next((way for way, given in ways.items() if given), "score"), "texts": definition.texts(),
        "parameters": {
            name: {
                "default": one.default, "low": one.low, "high": one.high, "step": one.step, "choices": list(one.choices), "says": one.says,
            }
            for name, one in tunables(definition.kind).items()
        },
        "rules": definition.rules(), "memory": {name: type(value).__name__ for name, value in memory(definition.kind).items()},
        "contributions": list(parts.hook.names) if parts.hook else [signal.name for signal in parts.signals],
        "rebalance": parts.rebalance, "timeframe": span_text(timeframe), "warm_up_bars": engine.warm_up,
        "run_warm_up_bars": max(engine.warm_up, int(Plan._field_defaults["volatility_bars"])), "inputs": list(engine.program.fields),
    }  # fmt: skip


def told(document: dict[str, Any], out: Out) -> list[str]:  # Any: a document
    """The same for people."""
    lines = [out.style(f"{document['strategy']}  {document['file']}", "bold"), document["says"].partition("\n")[0], ""]
    lines.append(f"decides by  {document['decides_by']}, explained by {', '.join(document['contributions'])}")
    needs = f"{document['warm_up_bars']:,} bars of {document['timeframe']}"
    lines.append(f"warm-up     {needs}; a run takes {document['run_warm_up_bars']:,}, for the volatility that sizes too")
    lines.append(f"reads       {', '.join(document['inputs'])}")
    if document["rebalance"] > 1:
        lines.append(f"rebalances  every {document['rebalance']:,} bars")
    lines.append(f"sha256      {document['sha256']}")
    if document["texts"]:
        lines += ["", *out.table(("NAME", "TEXT"), list(document["texts"].items()))]
    if document["parameters"]:
        rows = [
            (name, one["default"], "" if one["low"] is None else f"{one['low']} .. {one['high']}", one["says"])
            for name, one in document["parameters"].items()
        ]
        lines += ["", *out.table(("PARAMETER", "DEFAULT", "RANGE", ""), [tuple(map(str, row)) for row in rows])]
    for title in ("rules", "memory"):
        if document[title]:
            lines += ["", *out.table((title.upper(), ""), [(name, str(value)) for name, value in document[title].items()])]
    return lines
