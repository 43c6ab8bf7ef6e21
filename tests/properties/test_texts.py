"""Laws over texts from outside: whatever comes in, a graph or a FactorError comes out, soon; and no graph that can be said looks ahead.

A quick look by default. `SLUICE_FUZZ=100000` tries as many strings, and a tenth as many trees; `SLUICE_FUZZ_SEED` begins elsewhere.
"""

import json
import os
import re
import signal
import string
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from typing import NoReturn

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import strategies
from strategies.errors import FactorError
from strategies.factors import Machine, Node, call, compile_factors, const, field, parse
from strategies.factors.check import GRAPH, TEXT, check, distinct
from strategies.factors.dialects import DIALECTS
from strategies.factors.graph import CONST
from strategies.factors.operators import OPERATORS, Operator
from strategies.factors.operators.row import Param
from strategies.factors.pandas_code import parse_code
from strategies.factors.reading import read
from strategies.factors.words import MAX_CONSTANT

Array = NDArray[np.float64]

HOUR = 3_600_000
FIELDS = ("open", "high", "low", "close", "volume", "turnover", "funding_rate")
MOST_SECONDS = 1.0  # of one reading
STUCK = 20  # seconds after which a reading is interrupted
STRINGS = int(os.environ.get("SLUICE_FUZZ", "1000"))
TREES = max(STRINGS // 10, 300)
BATCH = 10  # trees of one program
SEED = int(os.environ.get("SLUICE_FUZZ_SEED", "0"))
WIDE = settings(
    max_examples=STRINGS,
    database=None,
    deadline=None,
    derandomize=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)

# -- texts

HERE = Path(__file__).parents[1] / "corpus"
LIBRARY = Path(strategies.__file__).parent / "library"
TEXTS = [json.loads(line)["text"] for path in sorted(LIBRARY.glob("*.jsonl")) for line in path.read_text().splitlines()]
CODES = [json.loads(line)["code"] for path in sorted(HERE.glob("pandas_*.jsonl")) for line in path.read_text().splitlines()]
NAMES = sorted({name for dialect in DIALECTS.values() for name in dialect.names} | {n for d in DIALECTS.values() for n in d.fields})
NUMBERS = (
    "0",
    "1",
    "2",
    "5",
    "20",
    "-1",
    "0.5",
    "1e9",
    "1e999",
    "99999",
    "1e-3",
    "5d",
    "4h",
    "3m",
    "007",
    ".5",
    "2.",
    "1j",
    "0x1f",
    "9" * 25,
)
SIGNS = (
    *"+-*/^()<>,?:!=&|~%@;.#$[]{}'\"`\\\n\t ", "**", "//", "&&", "||", "<=", ">=", "==", "!=", ":=", "->", "<<", ">>", "...", "./", ".*",
    " and ", " or ", " not ", " if ", " else ", " in ", " is ", "lambda ", "import ", "def ", "return ", "True", "None", "nan", "inf",
)  # fmt: skip
PANDAS = (
    "df", "df['close']", "df.close", "['volume']", ".rolling(5)", ".mean()", ".shift(1)", ".shift(-1)", ".ewm(span=5)", ".std()",
    ".apply(", "np.where(", "np.log(", "pd.Series(", ".fillna(0)", "lambda x: ", "x[-1]", "x.iloc[0]", ".values", "[::-1]", ".expanding()",
    "for i in range(3):", "if n > 2:", "else:", "\n    ", "\n        ", "return ", "def f(x):", "def factor(df, n=5):\n    ", "out = ",
    "df['x'] = ", "import numpy as np\n", " + ", " - ", " * ", " / ", " > ", " & ", " | ", "~", "(", ")", ",", "1", "n", "0.5", "'close'",
    "None", "True", "talib.RSI(", ".rank(pct=True)", "while True:", "class A:", "@property\n", "try:", "except:", ".groupby('x')",
    "__class__", "f'{x}'", "global x", "[i for i in df]",
)  # fmt: skip
FIELD_WORDS = (
    *FIELDS,
    *(f"${name}" for name in FIELDS),
    *map(str.upper, FIELDS),
    "vwap",
    "returns",
    "momentum_5d",
    "adv20",
    "RET",
    "DTM",
    "cap",
)

noise = st.text(alphabet=string.printable, max_size=300)
unicode = st.text(max_size=120)
words = st.one_of(st.sampled_from(NAMES), st.sampled_from(FIELD_WORDS), st.sampled_from(NUMBERS), st.sampled_from(SIGNS))
soup = st.lists(words, max_size=40).map("".join) | st.lists(words, max_size=30).map(" ".join)
code_soup = st.lists(st.sampled_from(PANDAS), max_size=40).map("".join)


@st.composite
def spoken(draw: st.DrawFn) -> str:
    """Calls of a dialect's own names with as many arguments as they take: mostly legal texts."""
    dialect = draw(st.sampled_from(sorted(DIALECTS)))
    table = sorted(DIALECTS[dialect].table)
    fields = [f"${name}" for name in FIELDS] if DIALECTS[dialect].marked else list(FIELDS)

    def said(depth: int) -> str:
        kind = draw(st.integers(0, 9))
        if depth == 0 or kind < 2:
            return draw(st.sampled_from(fields))
        if kind == 2:
            return draw(st.sampled_from(("1", "5", "20", "0.5", "2", "10")))
        if kind < 5:
            sign = draw(st.sampled_from((" + ", " - ", " * ", " / ", " > ", " == ", " and ", "**", " ? 1 : ")))
            return f"({said(depth - 1)}{sign}{said(depth - 1)})"
        name, count = draw(st.sampled_from(table))
        first = draw(st.integers(1, max(1, count)))
        inner = [said(depth - 1) if n < first else draw(st.sampled_from(("2", "5", "20", "0.5"))) for n in range(count)]
        return f"{name}({', '.join(inner)})"

    return said(draw(st.integers(1, 4)))


def cut_and_sewn(texts: list[str], pieces: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Known texts with pieces taken out, doubled, moved and put in."""

    @st.composite
    def mutated(draw: st.DrawFn) -> str:
        text = draw(st.sampled_from(texts))
        for _ in range(draw(st.integers(1, 6))):
            a, b = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
            b = min(b, a + 30)
            match draw(st.integers(0, 4)):
                case 0:
                    text = text[:a] + text[b:]
                case 1:
                    text = text[:a] + text[a:b] * 2 + text[b:]
                case 2:
                    text = text[:a] + draw(st.sampled_from(pieces)) + text[a:]
                case 3:
                    text = text[:a] + draw(st.characters(max_codepoint=0x2FF)) + text[a:]
                case _:
                    other = draw(st.sampled_from(texts))
                    text = text[:a] + other[a:b] + text[b:]
        return text

    return mutated()


_TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|\s+|.", re.DOTALL)


def retold(texts: list[str]) -> st.SearchStrategy[str]:
    """Known texts with words, numbers and signs in the place of others of their kind: still grammar, but another meaning."""
    tokens = [_TOKEN.findall(text) for text in texts]
    pools = {kind: sorted({t for each in tokens for t in each if kind_of(t) == kind}) for kind in ("word", "number", "sign")}
    pools["number"] += ["0", "-1", "2.5", "1e9", "99999999", "1e999"]

    @st.composite
    def replaced(draw: st.DrawFn) -> str:
        text = list(draw(st.sampled_from(tokens)))
        places = [i for i, t in enumerate(text) if kind_of(t) in pools]
        for _ in range(draw(st.integers(1, 4))):
            place = draw(st.sampled_from(places))
            text[place] = draw(st.sampled_from(pools[kind_of(text[place])]))
        return "".join(text)

    return replaced()


def kind_of(token: str) -> str:
    if token.isspace() or token in "()[]{}'\"\\:,":
        return "frame"
    return "number" if token[0].isdigit() else "word" if token[0].isalpha() or token[0] == "_" else "sign"


@st.composite
def heaped(draw: st.DrawFn) -> str:
    """One piece over and over: deep, long and enormous."""
    count = draw(st.sampled_from((3, 20, 33, 64, 65, 200, 700, 3_000, 50_000)))
    left, middle, right = draw(
        st.sampled_from(
            (
                ("(", "close", ")"), ("-", "close", ""), ("not ", "close", ""), ("abs(", "close", ")"), ("log(", "close", ")"),
                ("close+", "1", ""), ("close if open else ", "low", ""), ("close?", "open", ":low"), ("[", "", "]"), ("{", "", "}"),
                ("", "close", ".b"), ("", "close", "()"), ("", "close", "[0]"), ("", "close", "**2"), ("ts_mean(", "close", ",2)"),
                ("lambda x:", "close", ""), ("9", "", "9"), ("9**", "9", ""), ("a", "", "a"), ("\n", "close", "\n"), (" ", "close", "\t"),
                ("'", "x", "'"), ("close:", "open", ""), ("x=", "close", ""), ("Ref($close,1)*", "$open", ""), ("(close,", "1", ")"),
                ("name: ", "close", ""), ("\\\n", "close", ""), ("if close:\n ", "x", ""), ("df.shift(1).", "x", ""), ("df[", "0", "]"),
                ("def f():\n ", "pass", ""), ("#", "", "\n"), ('"""', "close", '"""'), ("close<", "open", ""), ("!", "close", ""),
            )
        )
    )  # fmt: skip
    return left * count + middle + right * draw(st.sampled_from((0, 1, count - 1, count)))


anything = st.one_of(
    noise, unicode, soup, code_soup, spoken(), heaped(), retold(TEXTS), cut_and_sewn(TEXTS, (*SIGNS, *NUMBERS, *FIELD_WORDS)),
    cut_and_sewn(CODES, PANDAS),
)  # fmt: skip
any_code = st.one_of(noise, unicode, soup, code_soup, heaped(), cut_and_sewn(CODES, PANDAS), retold(CODES), retold(CODES), retold(CODES))


@contextmanager
def interrupted(seconds: int) -> Iterator[None]:
    """A reading that never ends fails the test instead of stopping it."""

    def stop(signum: int, frame: object) -> NoReturn:
        raise AssertionError(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def by_dialect(name: str) -> Callable[[str], Node]:
    return lambda text: read(text, dialect=name, timeframe=HOUR, fields=FIELDS).node


DIALECT_READERS = {name: by_dialect(name) for name in ("auto", *DIALECTS)}
CODE_READER = {"code": lambda text: parse_code(text, timeframe=HOUR, fields=FIELDS)}


def same_again(node: Node) -> bool:
    """Whether canonical text, where it is short enough to be one, says the same factor."""
    return len(node.text) > 2_000 or parse(node.text, timeframe=HOUR, fields=FIELDS, limits=GRAPH, units=False) is node


class Told:
    """What came of the strings: how many there were, how many of each kind of answer, and the slowest reading."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.worst: tuple[float, str, str] = (0.0, "", "")

    def read(self, name: str, reader: Callable[[str], Node], text: str) -> None:
        begin = process_time()
        try:
            with interrupted(STUCK):
                node = reader(text)
        except FactorError as refusal:
            self.counts[refusal.code] += 1
            assert refusal.message
            assert refusal.line >= 1, refusal.message
        else:
            self.counts[f"read as {name}"] += 1
            assert same_again(node), f"{name} reads {node.text}, which reads back as something else"
        seconds = process_time() - begin
        self.worst = max(self.worst, (seconds, name, text[:200]))
        assert seconds < MOST_SECONDS, f"{name} took {seconds:.2f} s"

    @property
    def accepted(self) -> int:
        return sum(n for name, n in self.counts.items() if name.startswith("read as"))

    def __str__(self) -> str:
        return f"{dict(self.counts)}; the slowest took {1e3 * self.worst[0]:.0f} ms ({self.worst[1]}): {self.worst[2]!r}"


def told_of(strings: st.SearchStrategy[str], readers: dict[str, Callable[[str], Node]], count: int) -> Told:
    told = Told()

    @seed(SEED)
    @settings(WIDE, max_examples=count)
    @given(strings)
    def holds(text: str) -> None:
        told.counts["strings"] += 1
        for name, reader in readers.items():
            told.read(name, reader, text)

    holds()
    print(told)
    assert told.counts["strings"] >= count // 2
    return told


def test_any_string_becomes_a_graph_or_a_factor_error_at_once() -> None:
    """In every dialect: not a hang, not another exception; and what it becomes is said again by its canonical text."""
    told = told_of(anything, DIALECT_READERS, STRINGS)
    assert told.accepted > STRINGS // 50


def test_any_code_becomes_a_graph_or_a_factor_error_at_once() -> None:
    told = told_of(any_code, CODE_READER, STRINGS)
    assert told.accepted > STRINGS // 500


# -- trees

MAY_OVERFLOW = {"exp", "pow", "power", "div_inf", "log_inf", "log1p_inf", "cumprod", "ts_product", "mul", "div"}
BARS, SYMBOLS, FIRST = 72, 3, 28_400_003
FLOATS = {"low": (-1.0, 0.0), "high": (0.5, 2.0), "q": (0.0, 0.25, 1.0), "factor": (0.5, 0.9), "known": (1, 2)}


def parameters(draw: st.DrawFn, row: Operator) -> list[float]:
    """Numbers for its parameters: small windows, and of the others what they take."""
    return [number(draw, row, p) for p in row.params]


def number(draw: st.DrawFn, row: Operator, param: Param) -> float:
    if param.name in FLOATS and not param.whole:
        return draw(st.sampled_from(FLOATS[param.name]))
    if param.whole:
        return draw(st.integers(int(max(1, param.least)), int(max(1, param.least)) + 9))
    return draw(st.sampled_from([v for v in (0.0, 0.5, 1.0, 2.0, 3.5) if v >= param.least]))


@st.composite
def trees(draw: st.DrawFn, depth: int = 4) -> Node:
    """A legal graph over the whole table of operators."""
    kind = draw(st.integers(0, 9))
    if depth == 0 or kind < 2:
        return field(draw(st.sampled_from(FIELDS[:5])))
    if kind == 2:
        return const(draw(st.sampled_from((0.0, 1.0, -1.0, 0.5, 2.0, 1e-3, 1e9, float("nan")))))
    row = OPERATORS[draw(st.sampled_from(sorted(OPERATORS)))]
    series = [draw(trees(depth - 1)) for _ in range(row.series)]
    try:
        return call(row.name, *series, *parameters(draw, row))
    except FactorError:
        return series[0]


def legal(node: Node) -> bool:
    """What a text may say."""
    try:
        check(node, TEXT, units=False)
    except FactorError:
        return False
    large = any(n.op == CONST and abs(n.params[0]) > MAX_CONSTANT for n in distinct([node]))
    return bool(node.inputs()) and not large and len(node.text) <= 2_000


def market() -> Array:
    """float64[T, 5, S]: prices with ties and gaps."""
    rng = np.random.default_rng(3)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (BARS, SYMBOLS)), axis=0)), 1)
    open_ = np.round(close * np.exp(rng.normal(0, 0.01, close.shape)), 1)
    volume = np.round(np.exp(rng.normal(3, 1, close.shape)))
    block = np.stack([open_, np.maximum(open_, close), np.minimum(open_, close), close, volume], axis=1)
    block[np.broadcast_to(rng.random((BARS, 1, SYMBOLS)) < 0.03, block.shape)] = np.nan
    return block


BLOCK = market()
FUTURES = (np.nan, 1e30, -7.0)


def ran(program: object, block: Array) -> Array:
    return Machine(program, SYMBOLS).run(block, FIRST)  # type: ignore[arg-type]


def test_any_legal_tree_is_said_by_its_text_and_sees_no_future() -> None:
    """Text, key and values; poison after a bar changes no bit up to it."""
    told: Counter[str] = Counter()

    @seed(SEED)
    @settings(WIDE, max_examples=TREES // BATCH)
    @given(st.lists(trees().filter(legal), min_size=BATCH, max_size=BATCH), st.integers(5, BARS - 2), st.sampled_from(FUTURES))
    def holds(nodes: list[Node], cut: int, poison: float) -> None:
        told["trees"] += len(nodes)
        for node in nodes:
            again = parse(node.text, timeframe=HOUR, fields=FIELDS, units=False)
            assert again is node, f"{node.text} reads back as {again.text}"
            assert again.key == node.key
        program = compile_factors({str(i): node for i, node in enumerate(nodes)}, timeframe=HOUR, fields=FIELDS[:5])
        values = ran(program, BLOCK)
        poisoned = BLOCK.copy()
        poisoned[cut:] = poison
        same = ran(program, poisoned)[:cut].view(np.int64) == values[:cut].view(np.int64)
        for i, node in enumerate(nodes):
            ours = values[:, i]
            known = same[:, i] | np.isnan(ours[:cut])
            assert known.all(), f"{node.text} at bar {np.argwhere(~known)[0]} of {cut} changes with what comes after"
            if np.isinf(ours).any():
                told["infinite"] += 1
                assert MAY_OVERFLOW & {n.op for n in distinct([node])}, f"{node.text} is infinite"
            told["known"] += bool(np.isfinite(ours).any())

    holds()
    print(dict(told))
    assert told["trees"] >= TREES // 2
    assert told["known"] > told["trees"] // 2
