"""Do we trade what other engines trade? Every fill of R1, ours against a plain loop and against each engine that is there.

    python -m bench.agreement [--peers DIR --adapters DIR] [--bars 131400] [--write]

A fill agrees when time and side are the same. Prices are compared before slippage, because not every engine has it: the price a fill
touched. What is left over is what the engines mean by a fill; docs/replay.md says what each of them does.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.pages import into
from bench.peers import PEERS, measured, python_of, script_of
from bench.replay_cases import MINUTE, SLIPPAGE, WORKLOADS

ROOT = Path(__file__).resolve().parents[1]
READER = Path(__file__).with_name("peer_fills.py")
NONE = "no slippage model: 15 bps of fee instead"
# how its fills differ by design, and whether its prices hold the slippage
MODELS = {
    "plain loop": ("", True),
    "vectorbt": ("sizes rounded, not cut, to the lot", True),
    "backtrader": ("sizes rounded, not cut, to the lot", True),
    "nautilus_trader": (f"fills at the deciding close, which is the next open here; {NONE}", False),
    "backtesting.py": (f"the first decision comes a bar later; {NONE}", False),
    "basana": (NONE, False),
    "freqtrade": (f"sizes cut to the lot; {NONE}; it ends flat: one fill more", False),
    "zipline": ("fills at the close of the next bar, not at its open: where views turn twice running, times differ", True),
}
COUNTED = {
    "hftbacktest": f"an order book: buys a tick above the close; {NONE}",
    "nautilus_trader, Rust core": NONE,
    "jesse": f"fills at the deciding close; {NONE}",
}


class Trade(NamedTuple):
    at: int
    quantity: float
    price: float


def read(path: Path, slipped: bool) -> list[Trade]:
    """Fills with the price that was touched."""
    rows = (line.split(",") for line in path.read_text(encoding="utf-8").splitlines())
    found = [Trade(int(at), float(quantity), float(price)) for at, _, quantity, price in rows]
    return sorted(t._replace(price=t.price / (1 + (SLIPPAGE if t.quantity > 0 else -SLIPPAGE))) if slipped else t for t in found)


class Row(NamedTuple):
    engine: str
    fills: str
    agree: str
    quantity: str
    price: str
    equity: str
    model: str


def against(name: str, mine: list[Trade], theirs: list[Trade], equity: str, model: str) -> Row:
    """Pair fills by time and side."""
    known = {(trade.at, trade.quantity > 0): trade for trade in theirs}
    pairs = [(trade, known[key]) for trade in mine if (key := (trade.at, trade.quantity > 0)) in known]
    usual = [pair for pair in pairs if pair[0] != mine[1]] or pairs  # the second closes the first, whose size may differ
    apart = max((abs(a.quantity - b.quantity) for a, b in usual), default=0.0)
    price = max((abs(b.price / a.price - 1) * 1e4 for a, b in usual), default=0.0)
    return Row(name, f"{len(theirs):,}", f"{len(pairs):,} of {len(mine):,}", f"{apart:.6f}", f"{price:.4f}", equity, model)


def compared(folder: Path, environments: Path | None, adapters: Path | None, bars: int) -> Iterator[Row]:
    def run(words: list[str], where: Path = ROOT) -> dict[str, object] | None:
        return measured(words, where, REPLAY_BENCH_DATA=str(folder))

    made = [sys.executable, "-m", "bench.replay_bars", str(folder)]
    run([*made, "R1", "--feather"])
    run([*made[:-1], str(folder / "R1"), "R1", "--bars", str(bars)])
    ours = run([sys.executable, "-m", "bench.replay_one", "--folder", str(folder / "R1"), "--fills", str(folder / "ours.csv")])
    if ours is None:
        raise SystemExit("the replay itself failed; see above")
    mine = read(folder / "ours.csv", True)
    yield Row("Sluice", f"{len(mine):,}", "", "", "", f"{ours['equity']:,.2f}", "next open; sizes cut to the lot")
    plain = run([sys.executable, "-m", "bench.replay_bars", str(folder / "R1"), "R1", "--trades", str(folder / "plain.csv")])
    if plain is not None:
        yield against("plain loop", mine, read(folder / "plain.csv", True), f"{plain['equity']:,.2f}", MODELS["plain loop"][0])
    if environments is None or adapters is None:
        return
    for name, peer in PEERS.items():
        python, script, out = python_of(environments, peer), script_of(adapters, peer), folder / f"{name}.csv"
        if not python.exists() or not script.exists():
            continue
        words = [str(python), "-W", "ignore", "-B", *([str(READER), name, str(script), str(out)] if name in MODELS else [str(script)])]
        found = run([*words, "--workload", "R1", "--bars", str(bars)], folder)
        if found is None:
            continue
        equity = f"{found['equity']:,.2f}"
        if name in MODELS:
            model, slipped = MODELS[name]
            yield against(name, mine, read(out, slipped), equity, model)
        else:
            yield Row(name, f"{found['fills']:,}", "", "", "", equity, COUNTED[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--adapters", type=Path)
    parser.add_argument("--bars", type=int, default=WORKLOADS["R1"].bars // 4)
    parser.add_argument("--write", action="store_true", help="into docs/replay.md")
    given = parser.parse_args()
    head = "| engine | fills | same time and side | quantity apart | touched price apart, bps | final equity | how its fills differ |"
    lines = [head, "|---" * 7 + "|"]
    with tempfile.TemporaryDirectory(prefix="sluice-agreement-") as folder:
        for row in compared(Path(folder), given.peers, given.adapters, given.bars):
            print(f"{row.engine}: {row.agree or row.fills}", file=sys.stderr, flush=True)
            lines.append(f"| {' | '.join(row)} |")
    text = f"The first {given.bars:,} bars of R1, {given.bars * MINUTE // 86_400_000} days:\n\n" + "\n".join(lines)
    print(text)
    if given.write:
        into(ROOT / "docs" / "replay.md", "agreement", text)


if __name__ == "__main__":
    main()
