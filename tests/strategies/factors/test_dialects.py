"""The tables of the dialects: what each name means, how a dialect is found, and that what a graph prints reads back to it."""

import math

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from strategies.errors import BadConstant, FactorError
from strategies.factors import Limits, Node, call, const, field, parse, read
from strategies.factors.dialects import DERIVED, DIALECTS, PANEL_FIELDS
from strategies.factors.dialects.dialect import define, is_so
from strategies.factors.operators import OPERATORS

HOUR = 3_600_000
FIELDS = ("open", "high", "low", "close", "volume", "turnover", "funding_rate")
WIDE = Limits(nodes=4096, depth=256, look_back=1 << 40, state=1 << 50)


def meaning(text: str, dialect: str, *, fields: tuple[str, ...] = FIELDS) -> Node:
    return parse(text, dialect=dialect, timeframe=HOUR, fields=fields)


def canonical(text: str) -> Node:
    return parse(text, timeframe=HOUR, fields=(*FIELDS, *PANEL_FIELDS), units=False)


def refusal(text: str, dialect: str) -> FactorError:
    with pytest.raises(FactorError) as caught:
        read(text, dialect=dialect, timeframe=HOUR, fields=FIELDS)
    return caught.value


MEANINGS = {
    "sluice": [
        ("RSI(14)", "rsi(close, 14)"), ("ATR(14) / close", "atr(high, low, close, 14) / close"), ("diff(close)", "delta(close, 1)"),
        ("momentum(close, 5)", "momentum_5"), ("volatility(close, 5)", "volatility_5"),
        ("percentile(close, 0.9, 5)", "ts_quantile(close, 5, 0.9)"),
        ("highest(high, 5) - lowest(low, 5)", "ts_max(high, 5) - ts_min(low, 5)"), ("SMA(close, 3, 1)", "sma_recursive(close, 3, 1)"),
    ],
    "qlib": [
        ("$close/Ref($close, 1)-1", "close / delay(close, 1) - 1"), ("Ref($close, 0)", "close"), ("Mean($close, 5)", "ts_mean(close, 5)"),
        ("Mean($close, 0)", "expanding_mean(close)"), ("Mean($close, 0.5)", "ewm_mean(close, 3, 1, 1)"),
        ("EMA($close, 10)", "ewm_mean(close, 10, 1, 1)"), ("EMA($close, 0.25)", "ewm_mean(close, 7, 1, 1)"),
        ("WMA($close, 10)", "decay_linear(close, 10) / 10"), ("Greater($open, $close)", "max(open, close)"),
        ("Less($open, $close)", "min(open, close)"), ("Max($high, 5)", "ts_max(high, 5)"), ("Min($low, 5)", "ts_min(low, 5)"),
        ("Gt($close, $open)", "close > open"), ("Le($close, $open)", "close <= open"), ("Ne($close, $open)", "close != open"),
        ("And($close > $open, $low > 1)", "close > open and low > 1"), ("Or($close, $open)", "close or open"),
        ("Not($close > $open)", "not (close > open)"), ("If($close > $open, 1, 0)", "where(close > open, 1, 0)"),
        ("Rank($close, 5)", "ts_rank(close, 5)"), ("Quantile($close, 5, 0.8)", "ts_quantile(close, 5, 0.8)"),
        ("IdxMax($high, 5)", "ts_argmax(high, 5)"), ("Slope($close, 5)", "ts_slope(close, 5)"), ("Resi($close, 5)", "ts_resid(close, 5)"),
        ("Rsquare($close, 5)", "ts_rsquare(close, 5)"), ("Med($close, 5)", "ts_median(close, 5)"), ("Mad($close, 5)", "ts_mad(close, 5)"),
        ("Count($close, 5)", "ts_count_known(close, 5)"), ("Power($close, 2)", "close ** 2"),
        ("Power($close, $open)", "power(close, open)"),
        ("Add(Sub($close, 1), Mul($open, Div($low, 2)))", "(close - 1) + open * (low / 2)"), ("Delta($close, 5)", "delta(close, 5)"),
        ("Corr($close, Log($volume+1), 5)", "ts_corr(close, log(volume + 1), 5)"), ("Cov($close, $open, 5)", "ts_cov(close, open, 5)"),
        ("$vwap/$close", "vwap / close"), ("$change", "returns"), ("Std($close, 0)", "expanding_std(close)"),
    ],
    "worldquant": [
        ("Ts_Rank(close, 3.9)", "ts_rank(close, 3)"), ("correlation(close, volume, 4.99)", "ts_corr(close, volume, 4)"),
        ("max(close, 5)", "ts_max(close, 5)"), ("min(close, 5.7)", "ts_min(close, 5)"),
        ("max(close, 0)", "max(close, 0)"), ("min(close, 1)", "min(close, 1)"),
        ("max(close, 0.5)", "max(close, 0.5)"), ("min(close, open)", "min(close, open)"), ("adv20", "ts_mean(volume, 20)"),
        ("scale(close)", "scale(close, 1)"), ("scale(close, 2)", "scale(close, 2)"), ("rank(close)", "rank(close)"),
        ("close^open", "power(close, open)"), ("close^0.5", "close ** 0.5"), ("close^9", "power(close, 9)"),
        ("SignedPower(returns, 2.)", "signed_power(returns, 2)"), ("signedpower(returns, close)", "signed_power(returns, close)"),
        ("(close < open) ? 1 : -1", "where(close < open, 1, -1)"), ("close > open || close == 1", "close > open or close == 1"),
        ("stddev(returns, 20)", "ts_std(returns, 20)"), ("product(returns, 3)", "ts_product(returns, 3)"), ("-1 * close", "-1 * close"),
        ("decay_linear(close, 7.89291)", "decay_linear(close, 7)"), ("Ts_ArgMax(close, 5)", "ts_argmax(close, 5)"),
        ("ts_arg_max(close, 5)", "bars_since_max(close, 5)"), ("ts_av_diff(close, 5)", "close - ts_mean(close, 5)"),
        ("ts_std_dev(close, 5)", "ts_std(close, 5)"), ("zscore(close)", "zscore(close)"), ("reverse(close)", "-close"),
        ("if_else(close > open, 1, 0)", "where(close > open, 1, 0)"), ("ts_decay_linear(close, 5)", "decay_linear(close, 5)"),
        ("sum(close, 2 + 3)", "ts_sum(close, 5)"), ("covariance(close, open, 5)", "ts_cov(close, open, 5)"),
    ],
    "alphagen": [
        ("Add($close,Constant(2.0))", "close + 2"), ("Mul(Ref($close,1d),-0.5)", "delay(close, 24) * -0.5"),
        ("Mean($close,20)", "ts_mean(close, 20)"), ("TsMean($close,20)", "ts_mean(close, 20)"), ("Rank($close,20)", "ts_rank(-close, 20)"),
        ("TsRank($close,20)", "ts_rank(-close, 20)"), ("Rank($close)", "rank(close)"), ("CSRank($close)", "rank(close)"),
        ("Greater($close,$open)", "max(close, open)"), ("Less($close,$open)", "min(close, open)"), ("Max($close,20)", "ts_max(close, 20)"),
        ("WMA($close,10)", "decay_linear(close, 9) + 0 * delay(close, 9)"), ("EMA($close,9)", "decay_exp(close, 9, 0.8)"),
        ("Med($close,1)", "close"),
        ("Med($close,5)", "ts_quantile(close, 5, 0.5)"), ("Med($close,6)", "ts_quantile(close, 6, 0.4)"),
        ("SLog1p($close)", "sign(close) * log1p(abs(close))"), ("Inv($close)", "inv(close)"), ("TsIr($close,5)", "ts_ir(close, 5)"),
        ("TsMinMaxDiff($close,5)", "ts_range(close, 5)"), ("TsMaxDiff($close,5)", "close - ts_max(close, 5)"),
        ("TsPctChange($close,5)", "pct_change(close, 4)"), ("TsDiv($close,5)", "close / ts_mean(close, 5)"),
        ("Div($close,5)", "close / 5"), ("Pow($close,2)", "close ** 2"), ("Corr($close,$volume,5)", "ts_corr(close, volume, 5)"),
        ("Delta($close,5)", "delta(close, 5)"),
    ],
    "gtja": [
        ("SMA(CLOSE,3,1)", "sma_recursive(close, 3, 1)"), ("(CLOSE=DELAY(CLOSE,1)?0:CLOSE)", "where(close == delay(close, 1), 0, close)"),
        ("X=DELAY(CLOSE,1)\nCLOSE-X", "close - delay(close, 1)"), ("CLOSE=OPEN", "close == open"),
        ("REGBETA(CLOSE,SEQUENCE(6))", "ts_slope(close, 6)"), ("MAX(CLOSE,5)", "max(close, 5)"),
        ("CLOSE>OPEN & CLOSE>1 | OPEN>2", "close > open and close > 1 or open > 2"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "text", "plain"), [(d, a, b) for d, pairs in MEANINGS.items() for a, b in pairs])
def test_a_text_means_what_its_dialect_says(dialect: str, text: str, plain: str) -> None:
    assert meaning(text, dialect) is canonical(plain)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_line_of_a_table_is_canonical_text_that_exists(dialect: str) -> None:
    fields = (*FIELDS, *PANEL_FIELDS)
    for (name, _), rules in DIALECTS[dialect].table.items():
        for rule in () if isinstance(rules, str) else rules:
            arguments = [_argument(p) for p in rule.text[rule.text.index("(") + 1 : rule.text.index(") = ")].split(", ")]
            written = {"where": "if", "and_": "and", "or_": "or"}.get(name, name)
            text = f"{written}({', '.join(arguments)})"
            assert parse(text, dialect=dialect, timeframe=HOUR, fields=fields, limits=WIDE).inputs(), text
    for own in DIALECTS[dialect].fields:
        if own not in ("indclass_sector", "indclass_industry", "indclass_subindustry"):
            assert parse(own.rstrip("_"), dialect=dialect, timeframe=HOUR, fields=fields).inputs()


def _argument(pattern: str) -> str:
    """Something that fits a pattern of the tables."""
    numbers = {
        "n": "7",
        "d": "7",
        "m": "2",
        "q": "0.5",
        "to": "2",
        "std": "3",
        "factor": "0.9",
        "2 <= d": "7",
        "1 <= n": "7",
        "0 < n < 1": "0.5",
    }
    series = {"x": "close", "y": "open", "c": "close > open", "g": "sector"}
    return {**numbers, **series, "sequence(n)": "sequence(7)", "SEQUENCE": "sequence"}.get(pattern, pattern)


FOUND = [
    ("ts_mean(close, 20)", "sluice"), ("(close - SMA(close, 20)) / STD(close, 20)", "sluice"),
    ("zscore(close, 20) * rank(volume)", "sluice"), ("$close/Ref($close, 1)-1", "qlib"), ("Mean($close, 5)", "qlib"),
    ("Add(Mean($close,20d),$open)", "alphagen"), ("Rank($close,20d)", "alphagen"), ("Rank($close, 5)/2", "qlib"),
    ("SMA(CLOSE,3,1)", "gtja"), ("MEAN(CLOSE,6)-CLOSE", "gtja"), ("MAX(CLOSE,5)", "gtja"), ("(-1 * Ts_Rank(rank(low), 9))", "sluice"),
    ("correlation(open, volume, 9.91009)", "worldquant"), ("rank(close)^rank(open)", "worldquant"),
    ("scale(((correlation(adv20, low, 5) + ((high + low) / 2)) - close))", "worldquant"), ("ts_max_diff(close, 5)", "worldquant"),
    ("CSRank($close)", "alphagen"), ("REGBETA(close, SEQUENCE(6))", "gtja"), ("ts_median($close, 5)", "sluice"),
    ("min(max(close / open, -1), 1)", "sluice"), ("min(rsi_14, 70)", "sluice"), ("max(ts_mean(close, 4h), 2)", "sluice"),
    ("max(funding_rate, 3)", "sluice"), ("x = min(close, 5)\nx / open", "sluice"),
    ("Rank($close, 5)", "qlib"), ("EMA($close, 12)", "qlib"), ("min(sum(rank((-1 * close)), 2), 5)", "worldquant"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "dialect"), FOUND)
def test_the_dialect_of_a_text_is_found(text: str, dialect: str) -> None:
    found = read(text, timeframe=HOUR, fields=FIELDS)
    assert found.dialect == dialect
    assert found.node is meaning(text, dialect)


@pytest.mark.parametrize(
    ("text", "dialects"),
    [("min(close, 5)", ("sluice", "worldquant")), ("Sub(Rank($close, 5), 1)", ("qlib", "alphagen")),
     ("Div(WMA($close, 9), $close)", ("qlib", "alphagen")),
     ("Div(EMA($close, 9), $close)", ("qlib", "alphagen")), ("wma(close, 9)", ("sluice", "gtja"))],
)  # fmt: skip
def test_where_dialects_differ_the_text_is_refused_and_they_are_named(text: str, dialects: tuple[str, ...]) -> None:
    wrong = refusal(text, "auto")
    assert (wrong.code, wrong.line, wrong.column) == ("ambiguous", 1, 1)
    assert wrong.suggestion == "say which: " + " or ".join(f"--dialect {d}" for d in dialects)
    for dialect in dialects:
        assert read(text, dialect=dialect, timeframe=HOUR, fields=FIELDS).dialect == dialect


MIXED = [
    ("ema(close, 60) + rank(volume)", "alphagen"),
    ("wma(close, 9) + rank(volume)", "gtja"),
    ("max(close, 5) + rank(volume)", "worldquant"),
]


@pytest.mark.parametrize(("text", "other"), MIXED)
def test_a_text_of_ours_with_mixed_units_is_not_read_as_something_else(text: str, other: str) -> None:
    assert refusal(text, "sluice").code == "units"
    assert refusal(text, "auto").code == "ambiguous"
    assert read(text, dialect=other, timeframe=HOUR, fields=FIELDS).node is not canonical(text)
    assert read("close + rank(volume)", timeframe=HOUR, fields=FIELDS).dialect == "worldquant"  # where both mean the same it is read


REFUSED = [
    ("Ref($close, -1)", "qlib", "look_ahead", 13), ("Ref($close, -1)", "auto", "look_ahead", 13),
    ("Delta($close, -2)", "qlib", "look_ahead", 15), ("Mean($close)", "qlib", "look_ahead", 1),
    ("delay(close, -0.5)", "worldquant", "look_ahead", 14), ("DELAY(CLOSE,-1)", "gtja", "look_ahead", 13),
    ("Ref($close,-1d)", "alphagen", "look_ahead", 12), ("TsPctChange($close,0)", "alphagen", "look_ahead", 20),
    ("bfill($close)", "qlib", "look_ahead", 1), ("mean(close)", "auto", "look_ahead", 1), ("Mean($close, $volume)", "qlib", "window", 14),
    ("Mean($close, 1.5)", "qlib", "window", 14), ("sum(close, 0.5)", "worldquant", "window", 12),
    ("Mean($close, 5, 6)", "qlib", "arity", 1), ("Meann($close, 5)", "qlib", "unknown_name", 1),
    ("$factor * $close", "qlib", "unknown_name", 1), ("close + IndClass.sectr", "worldquant", "syntax", 17),
    ("close & open", "worldquant", "syntax", 7), ("close + volume", "auto", "units", 1), ("sma(close, 20) + volume", "auto", "units", 1),
    ("1 + 1", "auto", "constant", 1), ("sma(close, 20", "auto", "syntax", 4), ("kloze + 1", "auto", "unknown_name", 1),
    ("REGBETA(CLOSE,OPEN)", "gtja", "arity", 1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "dialect", "code", "column"), REFUSED)
def test_a_wrong_text_of_a_dialect_is_refused_at_its_place(text: str, dialect: str, code: str, column: int) -> None:
    wrong = refusal(text, dialect)
    assert (wrong.code, wrong.line, wrong.column) == (code, 1, column), str(wrong)


def test_a_misspelt_name_is_answered_in_its_own_dialect() -> None:
    assert refusal("Quantil($close, 5, 0.5)", "qlib").suggestion == "did you mean quantile?"
    assert "correlation" in refusal("correlatoin(close, open, 5)", "worldquant").suggestion
    assert "qlib" in refusal("close", "qlibb").suggestion


def test_a_column_that_a_dialect_knows_and_the_data_lack_is_asked_for() -> None:
    wrong = refusal("IndNeutralize(close, IndClass.sector)", "worldquant")
    assert wrong.message == "no configured feed gives the field 'sector'"
    assert "column sector" in wrong.suggestion


CHAPTER = """FACTOR_NAME: Volume-Adjusted Momentum

MATHEMATICAL_EXPRESSION:
momentum = (close - close_lag_5) / close_lag_5
vol_ratio = volume / SMA(volume, 20)
factor = momentum * log(vol_ratio + 1) * sign(momentum)
"""


def test_labels_above_and_before_a_formula_are_not_part_of_it() -> None:
    plain = canonical("(close - delay(close, 5)) / delay(close, 5)")
    assert meaning(CHAPTER, "sluice") is call(
        "mul", call("mul", plain, canonical("log(volume / ts_mean(volume, 20) + 1)")), call("sign", plain)
    )
    assert meaning("Factor: momentum_5d * sign(volume - avg_volume_20d)", "sluice") is canonical(
        "momentum_5d * sign(volume - avg_volume_20d)"
    )
    assert meaning("Alpha#101: ((close - open) / ((high - low) + .001))", "worldquant") is canonical(
        "(close - open) / ((high - low) + 0.001)"
    )
    assert refusal("Factor: momentum_5d * sgn(volume)", "sluice").column == 23
    assert refusal("close # why: open", "sluice").code == "text"
    assert refusal("NAME: x\nEXPRESSION:\n  clse", "sluice").line == 3
    assert refusal("TITLE: close", "sluice").code == "syntax"


def test_a_line_of_a_table_must_say_what_a_call_means() -> None:
    with pytest.raises(ValueError, match="a line of a table"):
        define("x + y = add(x, y)")
    ((rule,),) = define("ema(x, 0 < n < 1) = x").values()
    assert [is_so(rule.takes[1], n) for n in (0.0, 0.5, 1.0)] == [False, True, False]


def test_a_number_without_a_value_reads_back() -> None:
    for value in (math.nan, math.inf, -math.inf):
        node = call("where", call("gt", field("close"), field("open")), const(value), field("close"))
        assert canonical(node.text) is node
        assert canonical(call("add", call("abs", node), field("open")).text).inputs() == {"close", "open"}
    for text in ("1 / 0 + close", "close * (5 / 0)"):
        assert refusal(text, "sluice").code == "constant"


@pytest.mark.parametrize("derived", DERIVED, ids=lambda d: d.stem)
def test_a_derived_name_says_what_it_means(derived: object) -> None:
    stem, default = derived.stem, derived.default  # type: ignore[attr-defined]
    assert canonical(f"{stem}7").look_back > 0
    assert canonical(f"{stem}7").key != canonical(f"{stem}9").key
    if default:
        assert canonical(stem.rstrip("_")) is canonical(f"{stem}{default}")


def numbers(least: float) -> st.SearchStrategy[float]:
    low = -1e6 if least == -math.inf else least
    return st.one_of(st.floats(low, low + 50), st.integers(math.ceil(low), math.ceil(low) + 30).map(float))


@st.composite
def graphs(draw: st.DrawFn, depth: int = 3) -> Node:
    """Any graph: every operator, with parameters as code may give them."""
    if depth == 0 or draw(st.integers(0, 9)) < 2:
        names = st.sampled_from(FIELDS).map(field)
        return draw(st.one_of(names, names, st.sampled_from([0.5, -2.0, 1e9, 1e-9, 0.0, math.nan, math.inf]).map(const)))
    row = OPERATORS[draw(st.sampled_from(sorted(OPERATORS)))]
    series = [draw(graphs(depth=depth - 1)) for _ in range(row.series)]
    params = [draw(st.integers(int(p.least), int(p.least) + 30) if p.whole else numbers(p.least)) for p in row.params]
    try:
        return call(row.name, *series, *params)
    except FactorError:
        return series[0]


@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(node=graphs())
def test_what_any_graph_prints_reads_back_to_it(node: Node) -> None:
    assume(node.inputs() and len(node.text) <= 2_000)
    try:
        read_back = parse(node.text, timeframe=HOUR, fields=FIELDS, limits=WIDE, units=False)
    except BadConstant:  # 1e9 + 2: code may build what the gate of text refuses
        assume(False)
    assert read_back is node
