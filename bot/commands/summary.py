"""What a run came to, as text: the same few lines at the end of replay, paper and demo."""

from decimal import Decimal
from typing import Any

from bot.render import Out, clock, money, number, pairs, percent

SHARES = {"total_return", "annual_return", "annualised_return", "volatility", "annual_volatility", "max_drawdown", "win_rate", "exposure"}
MONEY = {"equity_start", "equity_end", "fees", "funding", "slippage"}
COSTS = ("fees", "funding", "slippage")
COUNTS = ("bars", "decisions", "orders", "fills")


def lines(result: Any, out: Out) -> list[str]:  # Any: ReplayResult and PaperResult, by the names that they share
    """A readable account of a result: where it is kept, what happened, what it cost, how good it was."""
    rows = [("run", str(result.run))]
    start, stop = getattr(result, "start", None), getattr(result, "stop", None)
    if start is not None and stop is not None:
        rows.append(("span", f"{clock(start)} .. {clock(stop)}"))
    rows.append(("settled", "  ".join(f"{getattr(result, name):,} {name}" for name in COUNTS if hasattr(result, name))))
    rows.append(("equity", _equity(result, out)))
    rows.append(
        ("costs", "  ".join(f"{name} {money(getattr(result, name))}" for name in ("fees", "funding", "slippage") if hasattr(result, name)))
    )
    if hasattr(result, "seconds"):
        rows.append(("took", f"{result.seconds:.2f} s, {result.bars_per_second:,.0f} bars/s"))
    if hasattr(result, "digest"):
        rows.append(("digest", str(result.digest)))
    text = pairs(rows)
    metrics = getattr(result, "metrics", None) or {}
    if metrics:
        text += ["", *out.table(("METRIC", "VALUE"), [(name, shown(name, value)) for name, value in metrics.items()], right=(1,))]
    return text + [out.style(f"warning: {line}", "yellow") for line in map(str, getattr(result, "warnings", ()))]


def shown(name: str, value: object) -> str:
    """A metric as its unit wants it: shares in percent, counts whole, ratios with three digits."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float | Decimal):
        return str(value)
    if name in SHARES:
        return percent(float(value))
    if name in MONEY:
        return money(value)
    return "." if value != value else number(round(float(value), 4))


def _equity(result: Any, out: Out) -> str:  # Any: as above
    start, end = Decimal(result.equity_start), Decimal(result.equity_end)
    change = end - start
    share = f" ({float(change / start) * 100:+.2f}%)" if start else ""
    text = f"{change:+,.2f}{share}"
    return f"{money(start)} -> {money(end)}  {out.style(text, 'green' if change >= 0 else 'red')}"
