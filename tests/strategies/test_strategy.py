"""A strategy file becomes decisions: what it declares, what its hook says, and that cutting the bars changes nothing."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feeds.bars import CLOSE, COLUMNS, Bars, Block
from feeds.times import MINUTE
from strategies.decision import REASON_OF
from strategies.definition import Definition
from strategies.engine import Plan, StrategyEngine, View
from strategies.errors import StrategyError
from strategies.events import Reason
from strategies.signals import Windows, built_in
from tests.builders import bars, walk

EXAMPLES = Path(__file__).parents[2] / "strategies" / "examples"
HEAD = "import numpy as np\nfrom strategies.strategy import FLAT, HOLD, LONG, SHORT, Bar, Parameter, Signal, Strategy, Target, Targets\n"
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
COUNTER = '''
class Counter(Strategy):
    """LONG at every fifth bar, flat two bars later; it counts, sums and lists."""

    factors = {"move": "close / delay(close, 3) - 1", "calm": "ts_std(move, 5)"}
    contributions = ("beat", "move")
    warm_up = 7
    count: int = 0
    total: dict[str, float] = {}
    last: list[float] = []

    def begin(self, symbols: tuple[str, ...], timeframe: int) -> None:
        self.total = dict.fromkeys(symbols, 0.0)

    def decide(self, bar: Bar) -> Targets | None:
        self.count += 1
        wanted: dict[str, object] = {}
        for symbol in bar.symbols:
            if bar.known("move", symbol):
                self.total[symbol] += bar.factor("move", symbol) * bar.price(symbol)
            if self.count % 5 == 0:
                wanted[symbol] = Target(LONG, parts={"beat": 0.5, "move": 0.25})
            elif self.count % 5 == 2:
                wanted[symbol] = FLAT
        self.last = (self.last + [bar.price(bar.symbols[0])])[-4:]
        return wanted
'''.replace("dict[str, object]", "dict[str, float]")


def definition(text: str, **values: Any) -> Definition:
    return Definition.of(HEAD + text, "mine.py", values)


def plan(one: Definition, **changes: Any) -> Plan:
    parts = one.parts(MINUTE, (*COLUMNS, "funding_rate"))
    base = Plan(parts.signals, volatility_bars=5, fusion=parts.fusion, target=parts.target, rebalance=parts.rebalance, hook=parts.hook,
                warm_up=parts.warm_up)  # fmt: skip
    return base._replace(**changes)


def market(rows: int = 300, symbols: int = 3, seed: int = 1) -> Bars:
    closes = walk(rows, seed, symbols)
    closes[50:55, -1] = np.nan
    return bars(closes, SYMBOLS[:symbols])


def look(wanted: Plan, over: Bars, cuts: tuple[int, ...] = (), since: int = 0) -> tuple[list[View], StrategyEngine]:
    engine = StrategyEngine(wanted, over.symbols, over.timeframe)
    engine.begin(over.close_ms(since - 1) if since else -1)
    ends = (*cuts, over.rows)
    parts = [over._replace(first=over.first + a, values=over.values[a:b]) for a, b in zip((0, *cuts), ends, strict=True)]
    return [engine.look(Block(part, [])) for part in parts], engine


def one_view(text: str, rows: int = 300, symbols: int = 3, since: int = 0, **values: Any) -> View:
    return look(plan(definition(text, **values)), market(rows, symbols), since=since)[0][0]


@pytest.mark.parametrize("cuts", [(1,), (3, 50, 51, 200), tuple(range(1, 300))], ids=["first bar", "some", "every bar"])
def test_cuts_change_neither_decisions_nor_memory(cuts: tuple[int, ...]) -> None:
    wanted, over = plan(definition(COUNTER)), market()
    (whole,), engine = look(wanted, over, since=20)
    parts, other = look(wanted, over, cuts, since=20)
    assert np.concatenate([part.records for part in parts]).tobytes() == whole.records.tobytes()
    stages = engine._stage, other._stage
    states = [stage._hook.state() for stage in stages]  # type: ignore[union-attr]
    assert states[0] == states[1]
    assert states[0]["count"] == 300 and len(states[0]["last"]) == 4


def test_two_sessions_of_one_plan_share_no_memory() -> None:
    wanted, over = plan(definition(COUNTER)), market()
    first, second = look(wanted, over)[0][0], look(wanted, over)[0][0]
    assert first.records.tobytes() == second.records.tobytes()


def test_a_hook_decides_what_it_says() -> None:
    view = one_view(COUNTER)
    hit = np.arange(300) % 5 == 4
    flat = np.arange(300) % 5 == 1
    present = view.present
    assert np.array_equal(view.side == 1, hit[:, None] & present)
    assert np.array_equal(view.target == 0.0, flat[:, None] & present)
    assert np.isnan(view.target[~flat]).all()
    assert view.names == ("beat", "move", "move", "calm")
    np.testing.assert_allclose(view.parts[4, :2].T, [[0.5, 0.25]] * 3)
    assert view.score[4, 0] == 0.75 and np.isnan(view.parts[4, 2:]).all()
    closes = view.bars.values[:, CLOSE, 0]
    np.testing.assert_allclose(view.values[10, 2, 0], closes[10] / closes[7] - 1, rtol=1e-12)


def test_reasons_tell_who_said_so() -> None:
    view = one_view(COUNTER)
    found = {REASON_OF[code] for code in np.unique(view.reason)}
    assert found == {Reason.CHOSEN, Reason.LEFT_ALONE, Reason.MISSING_BAR}
    decision = view.decision(4, 0)
    assert (decision.side.value, decision.reason, decision.score) == ("LONG", Reason.CHOSEN, 0.75)
    assert sum(c.contribution for c in decision.contributions if not math.isnan(c.contribution)) == decision.score


@pytest.mark.parametrize(
    ("said", "side", "target", "score"),
    [
        ("LONG", 1, math.nan, 1.0), ("SHORT", -1, math.nan, -1.0), ("HOLD", 0, math.nan, math.nan), ("FLAT", 0, 0.0, 0.0),
        ("0.25", 1, 0.25, 0.25), ("-3", -1, -3.0, -1.0), ("np.float64(0.5)", 1, 0.5, 0.5), ("Target(LONG, score=0.2)", 1, math.nan, 0.2),
        ("Target(HOLD, score=-0.4)", 0, math.nan, -0.4), ("Target(-0.1, confidence=0.5)", -1, -0.1, -0.1),
        ("np.int64(-1)", -1, -1.0, -1.0), ("np.float32(0.25)", 1, 0.25, 0.25),
    ],
)  # fmt: skip
def test_everything_that_can_be_wanted(said: str, side: int, target: float, score: float) -> None:
    view = one_view(
        f"class A(Strategy):\n    def decide(self, bar: Bar) -> Targets | None:\n        return {{bar.symbols[0]: {said}}}\n", 10, 1
    )
    assert view.side[5, 0] == side
    np.testing.assert_equal(view.target[5, 0], target)
    np.testing.assert_equal(view.score[5, 0], score)


def test_an_array_is_a_target_for_each_symbol() -> None:
    text = "class A(Strategy):\n    def decide(self, bar: Bar):\n        return np.array([0.1, -0.2, np.nan])\n"
    view = one_view(text, 20)
    np.testing.assert_equal(view.target[5], [0.1, -0.2, math.nan])
    assert view.side[5].tolist() == [1, -1, 0]


def test_what_is_wanted_while_it_warms_up_is_forgotten() -> None:
    text = """class A(Strategy):
    sides: list[int] = []
    warmed: int = 0
    def decide(self, bar: Bar) -> Targets | None:
        self.sides.append(bar.side(bar.symbols[0]))
        self.warmed += bar.warming
        return {bar.symbols[0]: LONG}
"""
    (_,), engine = look(plan(definition(text)), market(10, 1), since=4)
    state = engine._stage._hook.state()  # type: ignore[union-attr]
    assert state["sides"] == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1] and state["warmed"] == 4


def test_a_bar_tells_prices_presence_and_time() -> None:
    text = """class A(Strategy):
    told: list[tuple[float, bool, int]] = []
    def decide(self, bar: Bar) -> Targets | None:
        self.told.append((bar.price("SOLUSDT"), bar.present("SOLUSDT"), bar.time))
        return None
"""
    over = market()
    (_,), engine = look(plan(definition(text)), over, since=0)
    told = engine._stage._hook.state()["told"]  # type: ignore[union-attr]
    closes = over.values[:, CLOSE, 2]
    assert told[49][:2] == (closes[49], True)
    assert all(told[row][:2] == (closes[49], False) for row in range(50, 55)), "the last close that was known"
    assert told[55][:2] == (closes[55], True)
    assert [at for _, _, at in told] == [over.close_ms(row) for row in range(300)]


WRONG = {
    "ZeroDivisionError: division by zero": "return {bar.symbols[0]: 1 / (self.n - self.n)}",
    "KeyError: 'nope'": "return {bar.symbols[0]: bar.factor('nope', bar.symbols[0])}",
    "decide wants something of 'XRPUSDT', which is not traded here": "return {'XRPUSDT': LONG}",
    "decide returned int": "return 3",
    "decide returned an array of shape": "return np.zeros(7)",
    "a target of 200.0 is no fraction of equity": "return {bar.symbols[0]: 200.0}",
    "the part 'decide' of nan is no part of a score": "return {bar.symbols[0]: Target(0.1, parts={'decide': float('nan')})}",
    "a target of nan is no fraction of equity": "return {bar.symbols[0]: float('nan')}",
    "'up' is nothing to want": "return {bar.symbols[0]: 'up'}",
    "True is nothing to want": "return {bar.symbols[0]: True}",
    "'mappingproxy' object does not support item assignment": "d = self.rules; d[bar.symbols[0]] = bar.price(bar.symbols[0])",
    "a score of 2.0 does not lie": "return {bar.symbols[0]: Target(LONG, score=2.0)}",
    "a confidence of -1 does not lie": "return {bar.symbols[0]: Target(LONG, confidence=-1)}",
    "the part 'x' is not declared": "return {bar.symbols[0]: Target(LONG, parts={'x': 0.1})}",
    "the parts add up to 0.1, and the score is 0.5": "return {bar.symbols[0]: Target(LONG, score=0.5, parts={'decide': 0.1})}",
}


@pytest.mark.parametrize("message", WRONG)
def test_an_error_names_the_file_the_line_the_bar_and_the_symbol(message: str) -> None:
    text = f"class A(Strategy):\n    n: int = 1\n    def decide(self, bar: Bar):\n        {WRONG[message]}\n"
    with pytest.raises(StrategyError) as raised:
        one_view(text, 10, 1)
    said = str(raised.value)
    assert message in said and "symbol BTCUSDT" in said and "2024-01-01T00:01:00Z" in said and "\n" not in said
    assert said.startswith(("mine.py:5", "mine.py:6")), "decide, or the line in it"


def test_an_error_of_the_hook_itself_has_its_line() -> None:
    with pytest.raises(StrategyError, match=r"^mine\.py:6  ZeroDivisionError: division by zero, at the bar"):
        one_view(
            "class A(Strategy):\n    n: int = 1\n    def decide(self, bar: Bar):\n        return {bar.symbols[0]: 1 / (self.n - 1)}\n",
            10,
            1,
        )


@pytest.mark.parametrize(("value", "kind"), [("(i for i in (1, 2))", "generator"), ("lambda: 1", "function"), ("[keep(bar)]", "Bar")])
def test_memory_that_is_no_plain_value_is_refused(value: str, kind: str) -> None:
    text = "def keep(x):\n    return x\nclass A(Strategy):\n    last: list[int] = []\n"
    text += f"    def decide(self, bar: Bar):\n        self.last = {value}\n"
    with pytest.raises(StrategyError, match=rf"self\.last holds a {kind}"):
        one_view(text, 10, 1)


def test_memory_that_holds_itself_is_refused() -> None:
    text = "class A(Strategy):\n    last: list[list[int]] = []\n    def decide(self, bar: Bar):\n        self.last.append(self.last)\n"
    with pytest.raises(StrategyError, match=r"self\.last holds itself"):
        one_view(text, 10, 1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("keep(self).last = 3", r"self\.last is not declared"), ("keep(self).n = 3", "the parameter n was changed"),
        ("keep(A).last = 3", r"self\.last is not declared"),
    ],
)  # fmt: skip
def test_what_the_source_hides_is_found_at_work(body: str, message: str) -> None:
    text = f"def keep(x):\n    return x\nclass A(Strategy):\n    n: int = Parameter(1)\n    def decide(self, bar: Bar):\n        {body}\n"
    with pytest.raises(StrategyError, match=message):
        one_view(text, 10, 1)


def test_a_declared_score_is_the_sum_of_its_parts() -> None:
    text = """class A(Strategy):
    fast: int = Parameter(5, low=2, high=50)
    factors = {"up": "close / delay(close, {fast}) - 1", "z": "ts_zscore(up, 30)"}
    score = {"trend": "0.4 * tanh(z)", "level": "5 * up"}
    confidence = "0.9"
"""
    view = one_view(text, fast=7)
    closes = view.bars.values[:, CLOSE, 0]
    up = np.full(300, np.nan)
    up[7:] = closes[7:] / closes[:-7] - 1
    window = np.lib.stride_tricks.sliding_window_view(up, 30)
    z = (window[:, -1] - window.mean(axis=1)) / window.std(axis=1, ddof=1)
    expected = np.clip(0.4 * np.tanh(z) + 5 * window[:, -1], -1, 1)
    np.testing.assert_allclose(view.score[29:, 0], expected, rtol=1e-9)
    np.testing.assert_allclose(np.nansum(view.parts[100], axis=0), view.score[100], rtol=1e-12)
    assert view.names == ("trend", "level") and view.confidence[100, 0] == 0.9


def test_a_declared_target_counts_at_every_so_many_bars() -> None:
    text = """class A(Strategy):
    every: int = Parameter(6, low=1, high=50)
    factors = {"strength": "close / delay(close, 12) - 1"}
    target = "cs_scale(cs_demean(cs_rank(strength)), 0.8)"
    rebalance = "{every}"
"""
    view = one_view(text)
    counts = (np.arange(300) + view.bars.first + 1) % 6 == 0
    known = ~np.isnan(view.target)
    assert not known[~counts].any() and known[counts & (np.arange(300) > 70)].all()
    np.testing.assert_allclose(np.abs(view.target[counts & (np.arange(300) > 70)]).sum(axis=1), 0.8, rtol=1e-12)
    np.testing.assert_allclose(view.target[counts & (np.arange(300) > 70)].sum(axis=1), 0.0, atol=1e-12)
    assert np.array_equal(view.side, np.where(known, np.sign(view.target), 0))
    assert np.isnan(view.score[~known]).all()
    strength = view.bars.values[12:, CLOSE] / view.bars.values[:-12, CLOSE] - 1
    row = int(np.flatnonzero(counts & (np.arange(300) > 100))[0])
    rank = strength[row - 12].argsort().argsort() + 1.0
    weights = rank - rank.mean()
    np.testing.assert_allclose(view.target[row], 0.8 * weights / np.abs(weights).sum(), rtol=1e-9)


def test_a_constant_target_is_held_from_the_first_bar() -> None:
    view = one_view('class A(Strategy):\n    target = "0.5"\n', 20, 1)
    assert view.target[:, 0].tolist() == [0.5] * 20


def test_the_fusion_as_a_file_decides_to_the_last_bit_what_the_built_in_one_does() -> None:
    source = (EXAMPLES / "fusion.py").read_text(encoding="utf-8")
    windows = {"momentum": 60, "volume": 10, "scale": 240}
    fields = (*COLUMNS, "sentiment_news", "news_count", "sentiment_social", "social_count", "exchange_netflow_z", "whale_balance_change_z")
    parts = Definition.of(source, "fusion.py", windows).parts(MINUTE, fields)
    weights = {"price_momentum": 0.25, "volume_breakout": 0.20, "sentiment_news": 0.20, "sentiment_social": 0.15, "onchain_flow": 0.20,
               "whale_accumulation": 0.10}  # fmt: skip
    built = built_in(weights, Windows(**windows), MINUTE)
    assert [(s.name, s.weight, s.value.text, s.confidence.text) for s in parts.signals] == [
        (s.name, s.weight, s.value.text, s.confidence.text) for s in built
    ]
    over = market(600)
    mine = look(Plan(parts.signals, volatility_bars=5, fusion=parts.fusion), over)[0][0]
    theirs = look(Plan(tuple(built), volatility_bars=5), over)[0][0]
    assert mine.records.tobytes() == theirs.records.tobytes()
    assert (mine.side != 0).any()


REFUSED: Mapping[str, str] = {
    "holds no class": "x = 1\n",
    "keep one in a file: A, B": "class A(Strategy):\n    score = 'close'\nclass B(Strategy):\n    score = 'close'\n",
    "it says nothing of what it wants": "class A(Strategy):\n    factors = {'x': 'close'}\n",
    "in several ways": "class A(Strategy):\n    score = 'close'\n    def decide(self, bar: Bar):\n        return None\n",
    "factors must be a dict": "class A(Strategy):\n    factors = 'close'\n    score = 'close'\n",
    "has the name of a column": "class A(Strategy):\n    factors = {'close': 'open'}\n    score = 'close'\n",
    "is no name": "class A(Strategy):\n    factors = {'My Factor': 'open'}\n    score = 'close'\n",
    "must be a Signal": "class A(Strategy):\n    signals = {'x': 'close'}\n",
    "rebalance must be a whole number": "class A(Strategy):\n    rebalance = 0\n    target = '0.1'\n",
    "warm_up must be a whole number": "class A(Strategy):\n    warm_up = -1\n    score = 'close'\n",
    "a hook asks bar.index": "class A(Strategy):\n    rebalance = 5\n    def decide(self, bar: Bar):\n        return None\n",
    "confidence is of a declared score": "class A(Strategy):\n    confidence = '1'\n    signals = {'x': Signal('close')}\n",
    "contributions must be a tuple": "class A(Strategy):\n    contributions = ('a', 'a')\n    score = 'close'\n",
    "has low 3 above high 1": "class A(Strategy):\n    n: int = Parameter(2, low=3, high=1)\n    score = 'close'\n",
    "must lie in [0.0, 1.0], not 3.0": "class A(Strategy):\n    n: float = Parameter(3.0, low=0.0, high=1.0)\n    score = 'close'\n",
    "must be one of 'a', 'b'": "class A(Strategy):\n    n: str = Parameter('c', choices=('a', 'b'))\n    score = 'close'\n",
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_declaration_that_cannot_be_is_refused_with_its_line(message: str) -> None:
    with pytest.raises(StrategyError, match=r"^mine\.py:\d+:1") as raised:
        definition(REFUSED[message])
    wanted = message.replace("keep one in a file: A, B", "several strategies: A, B; keep one in a file")
    assert wanted in str(raised.value) or message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('factors = {"a": "close / dealy(close, 3)"}\n    score = "a"', r"mine\.py:4  factors\['a'\]: .*dealy.*did you mean delay"),
        ('factors = {"a": "delay(close, -3)"}\n    score = "a"', r"mine\.py:4  factors\['a'\]: .*future"),
        ('factors = {"a": "close"}\n    score = {"x": "b + 1"}', r"mine\.py:5  score\['x'\]: .*b"),
        ('score = "close / delay(close, {n})"', r"mine\.py:4  there is no parameter n; it has none"),
        ('target = "close +"', r"mine\.py:4  target: "),
        ('signals = {"x": Signal("close", weight=-1.0)}', r"mine\.py:4  the weight of x is -1\.0"),
    ],
)
def test_a_text_that_is_no_factor_is_told_with_its_line_and_name(text: str, message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        definition(f"class A(Strategy):\n    {text}\n").parts(MINUTE, COLUMNS)


def test_parameters_are_checked_and_fill_every_text() -> None:
    text = """class A(Strategy):
    n: int = Parameter(10, low=2, high=50)
    x: float = Parameter(-0.5, low=-2.0, high=2.0)
    on: bool = Parameter(True)
    factors = {"a": "delay(close, {n}) + {x}"}
    score = "a * {on}"
    rules = {"stop_loss": "{x}", "max_bars": "{n}", "share": 0.1}
    rebalance = "{n}"
"""
    one = definition(text, n=20)
    assert one.texts() == {"a": "delay(close, 20) + (-0.5)", "score": "a * 1"}
    assert one.rules() == {"stop_loss": -0.5, "max_bars": 20, "share": 0.1}
    assert one.parts(MINUTE, COLUMNS).rebalance == 20
    for values, message in (
        ({"m": 1}, "it has no parameter m; it has n, x, on"), ({"n": 1}, r"n must lie in \[2, 50\], not 1"),
        ({"n": 2.5}, "n must be a whole number, not 2.5"), ({"x": "a"}, "x must be a number"), ({"on": 1}, "on must be true or false"),
        ({"x": math.nan}, "a number of at most"),
    ):  # fmt: skip
        with pytest.raises(StrategyError, match=message):
            definition(text, **values)


def test_the_overhead_of_a_hook_is_microseconds_a_bar() -> None:
    import time

    text = "class A(Strategy):\n    factors = {'m': 'close / delay(close, 3) - 1'}\n    def decide(self, bar: Bar):\n        return None\n"
    declared = 'class A(Strategy):\n    factors = {"m": "close / delay(close, 3) - 1"}\n    score = "m"\n'
    over = bars(walk(50_000, 1, 1), SYMBOLS[:1])
    times = {}
    for name, one in (("hook", plan(definition(text))), ("declared", plan(definition(declared)))):
        engine = StrategyEngine(one, over.symbols, MINUTE)
        engine.look(Block(over._replace(values=over.values[:100]), []))
        best = math.inf
        for _ in range(3):
            engine = StrategyEngine(one, over.symbols, MINUTE)
            begun = time.process_time()
            engine.look(Block(over, []))
            best = min(best, time.process_time() - begun)
        times[name] = best
    assert (times["hook"] - times["declared"]) / over.rows < 10e-6, "3 us where nothing else runs; here others do"
