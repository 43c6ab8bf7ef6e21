"""Factors under the probes: what the machine computes passes, and a machine that leaks, drifts or depends on the cut is found."""

from typing import Any

import numpy as np
import pytest

from bot import causality
from bot.causality import Checked, Settings, Sheet, check_factors, lengths
from bot.research.probes import Rows
from strategies.factors import Machine, Node, parse

FIELDS = ("open", "high", "low", "close", "volume")
SYMBOLS = ("AAA", "BBB", "CCC")
BARS = 900
TEXTS = {
    "window": "close / ts_mean(close, 20) - 1", "recursive": "ema(close, 30) / close", "anchored": "cumsum(volume) / volume",
    "across": "rank(volume)", "place": "ts_rank(close, 40)", "price": "close - open", "constant": "close * 0",
}  # fmt: skip


def sheet(bars: int = BARS, symbols: int = 3) -> Sheet:
    rng = np.random.default_rng(6)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (bars, symbols)), axis=0))
    open_ = close * np.exp(rng.normal(0, 0.002, close.shape))
    values = np.stack([open_, np.maximum(open_, close), np.minimum(open_, close), close, rng.lognormal(3, 1, close.shape)], axis=1)
    values[rng.random(bars) < 0.005] = np.nan
    return Sheet(Rows(values, 28_000_000), FIELDS, SYMBOLS[:symbols], 60_000)


def nodes(**texts: str) -> dict[str | int, Node]:
    return {name: parse(text, timeframe=60_000, fields=FIELDS) for name, text in texts.items()}


def results(found: Checked) -> dict[str, str]:
    return {one.probe: one.result for one in found.probes}


@pytest.fixture(scope="module")
def checked() -> dict[str, Checked]:
    return {str(one.id): one for one in check_factors(nodes(**TEXTS), sheet(), Settings(cuts=16))}


def test_factors_pass_and_every_probe_had_something_to_look_at(checked: dict[str, Checked]) -> None:
    for name, found in checked.items():
        assert found.ok, name
        said = results(found)
        for probe in ("truncation", "future poisoned", "bar by bar and any cut", "saved and restored", "order of symbols"):
            assert said[probe] == "pass", (name, probe)
        assert all(one.values >= 300 for one in found.probes if one.result == "pass" and "drift" not in one.probe), name


def test_what_depends_on_the_beginning_or_on_others_is_noted(checked: dict[str, Checked]) -> None:
    assert {name: results(found)["late start"] for name, found in checked.items()} == dict.fromkeys(TEXTS, "pass") | {"anchored": "note"}
    assert {name for name, found in checked.items() if results(found)["width of universe"] == "note"} == {"across"}
    said = {name: next(one.detail for one in found.probes if one.probe == "unit of price") for name, found in checked.items()}
    assert said == dict.fromkeys(TEXTS, "unit free") | {"price": "~unit^1"}


def test_drift_grows_with_what_is_missing_and_is_nothing_after_the_warm_up(checked: dict[str, Checked]) -> None:
    worst = {name: {row["bars"]: row["worst"] for row in found.drift} for name, found in checked.items()}
    assert all(value < 1e-12 for length, value in worst["window"].items() if length >= 19)
    fading = [worst["recursive"][length] for length in sorted(worst["recursive"])]
    assert fading == sorted(fading, reverse=True)
    assert fading[0] > 1e-9 > fading[-1]
    assert worst["anchored"][199] > 0.1


def test_what_is_never_known_is_skipped_and_not_passed() -> None:
    (found,) = check_factors(nodes(unknown="ts_mean(close, 5000)"), sheet(300), Settings(cuts=4))
    assert found.known == 0
    assert set(results(found).values()) == {"skipped"}


class Ahead(Machine):
    """Reads the volume of the next bar."""

    def run(self, block: Any, first: int, out: Any = None, pool: Any = None) -> Any:
        block = np.array(block)
        place = self.program.fields.index("volume")
        block[:-1, place] = block[1:, place].copy()
        return super().run(block, first)


class Whole(Machine):
    """Ranks each value among all that it is given at once."""

    def run(self, block: Any, first: int, out: Any = None, pool: Any = None) -> Any:
        values = super().run(block, first)
        return np.argsort(np.argsort(values, axis=0), axis=0) / len(values) + 0 * values


class Filled(Machine):
    """Fills what is not known from behind."""

    def run(self, block: Any, first: int, out: Any = None, pool: Any = None) -> Any:
        values = super().run(block, first)
        for row in range(len(values) - 2, -1, -1):
            values[row] = np.where(np.isnan(values[row]), values[row + 1], values[row])
        return values


class Centred(Machine):
    """The mean of a value with those beside it."""

    def run(self, block: Any, first: int, out: Any = None, pool: Any = None) -> Any:
        values = super().run(block, first)
        values[1:-1] = (values[:-2] + values[1:-1] + values[2:]) / 3
        return values


class Forgetful(Machine):
    """Does not save what it should."""

    def restore(self, state: bytes) -> None:
        super().restore(state)
        self.memory[: self.memory.size // 2] = 1.0


class Favouring(Machine):
    """Multiplies by a symbol's place."""

    def run(self, block: Any, first: int, out: Any = None, pool: Any = None) -> Any:
        return super().run(block, first) * np.arange(1, self.symbols + 1)


STUBS: dict[type[Machine], set[str]] = {
    Ahead: {"truncation", "future poisoned", "bar by bar and any cut"},
    Whole: {"truncation", "future poisoned", "bar by bar and any cut"},
    Filled: {"truncation", "future poisoned", "bar by bar and any cut"},
    Centred: {"truncation", "future poisoned", "bar by bar and any cut"},
    Forgetful: {"saved and restored"},
    Favouring: {"order of symbols"},
}


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.__name__)
@pytest.mark.parametrize("text", ["volume / ts_mean(volume, 10)", "ts_corr(volume, close, 15)"])
def test_a_machine_that_leaks_is_found(stub: type[Machine], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causality, "Machine", stub)
    (found,) = check_factors(nodes(x=text), sheet(400), Settings(cuts=20))
    assert not found.ok
    failed = {name for name, result in results(found).items() if result == "fail"}
    assert STUBS[stub] <= failed
    for one in found.probes:
        if one.result == "fail" and one.differing:
            assert one.first is not None
            assert one.first["symbol"] in SYMBOLS


def test_a_warm_up_that_is_declared_too_short_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    given = nodes(x="ts_mean(close, 30)")
    monkeypatch.setattr(Node, "warm_up", property(lambda self: 3))
    monkeypatch.setattr(Node, "look_back", property(lambda self: 3))
    (found,) = check_factors(given, sheet(600), Settings(cuts=4, lengths=(3, 29, 50)))
    assert results(found)["late start"] == "fail"
    assert results(found)["drift by warm-up"] == "fail"


def test_lengths_are_the_warm_up_its_multiples_and_those_that_users_know() -> None:
    assert lengths(50, 10_000) == [50, 100, 199, 200, 399, 499, 999, 1_999]
    assert lengths(0, 450) == [199, 399]
