"""The pages in a real browser, pointed at and clicked: narrow and wide, light and dark, long and hostile."""

import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bot.compare_html import html as compared_page
from bot.compare_store import compare_stores
from bot.report import Chart, Mark, RunReport
from bot.report_html import html
from bot.report_store import curve_of, days_of, months_of
from bot.store.rows import EquityPoint
from feeds.times import HOUR, MINUTE
from tests.bot.reports import BEGIN, SPITE, full, trip
from tests.bot.test_compare import trade
from tests.e2e.chromium import Tab, tab

WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BACK = "getComputedStyle(document.body).backgroundColor"


def long() -> RunReport:
    """A year of minutes as a store keeps it: 20,000 points, 6,000 trades, 2,000 stretches of price and 2,400 marks."""
    rng = np.random.default_rng(4)
    at = BEGIN + MINUTE * np.linspace(1, 525_600, 20_000).astype(int)
    equity = 10_000 * np.exp(np.cumsum(rng.normal(0, 1e-3, at.size)))
    curve = curve_of([EquityPoint(int(t), float(e), 0.0, 100.0, 50.0) for t, e in zip(at, equity, strict=True)], 10_000.0, MINUTE)
    close = 30_000 * np.exp(np.cumsum(rng.normal(0, 5e-3, 2_000)))
    step = 525_600 * MINUTE // 2_000
    where = np.sort(rng.choice(2_000, 2_400))
    kinds = ("long", "exit", "short", "stop", "target", "refused_long", "refused_short", "liquidation")
    marks = tuple(Mark(BEGIN + int(n + 1) * step, float(close[n]), kinds[i % 8], f"mark {i}") for i, n in enumerate(where))
    chart = Chart(
        "BTCUSDT", tuple(BEGIN + (n + 1) * step for n in range(2_000)), tuple((close * 0.99).tolist()), tuple((close * 1.01).tolist()),
        tuple(close.tolist()), tuple(mark.at_ms for mark in marks), tuple(float(n % 3 - 1) for n in range(2_400)), marks, 10_000,
    )  # fmt: skip
    trades = tuple(trip(n, str(n % 41 - 20)) for n in range(6_000))
    return msgspec.structs.replace(full(), curve=curve, months=months_of(curve), days=days_of(curve), trades=trades, charts=(chart,))


def test_a_page_of_a_year_is_made_quickly_and_is_small() -> None:
    report = long()
    begun = time.process_time()
    page = html(report)
    assert time.process_time() - begun < 2.0
    assert len(page.encode()) < 2_000_000
    assert "300 of 12,400 drawn, 2,400 zoomed in" in page


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    a, b = trade(folder / "a.db", "R-a"), trade(folder / "b.db", "R-b", entry=5)
    texts = {"report": html(full()), "long": html(long()), "hostile": html(full("".join(SPITE))),
             "comparison": compared_page(compare_stores(a, "R-a", b, "R-b"))}  # fmt: skip
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with tab(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.mark.parametrize("name", ["report", "long", "hostile", "comparison"])
@pytest.mark.parametrize("width", [390, 1440])
def test_pages_fit_complain_of_nothing_and_ask_for_nothing(browser: Tab, pages: dict[str, Path], name: str, width: int) -> None:
    backs = set()
    for dark in (False, True):
        browser.open(pages[name], width, dark=dark)
        assert browser.value(WIDE) <= 0, "the page is wider than the window"
        backs.add(browser.value(BACK))
    assert len(backs) == 2, "light and dark look the same"
    assert browser.asked == [] and browser.said == []


def test_a_mark_tells_what_it_is_and_a_zoom_shows_more_of_them(browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages["long"], 1440)
    shown = "[...document.querySelectorAll('.marks use')].filter(u=>getComputedStyle(u).display!='none').length"
    sheet = "document.querySelector('.zoom').closest('.plot').querySelector('.sheet').clientWidth"
    first, width = browser.value(shown), browser.value(sheet)
    assert first == 300
    press = "for(let i=0;i<{};i++)document.querySelector('.zoom button:{}-child').click()"
    browser.value(press.format(2, "last"))
    assert browser.value(sheet) == pytest.approx(4 * width, rel=0.01) and browser.value(shown) == 1_000
    browser.value(press.format(2, "last"))
    assert browser.value(shown) == 2_400
    browser.value(press.format(4, "first"))
    assert browser.value(sheet) == width and browser.value(shown) == 300
    box = browser.value(
        "(()=>{const f=document.querySelector('.zoom').closest('.plot');f.scrollIntoView();"
        "const u=f.querySelector('.marks use:not(.z4,.z16)');"
        "const m=u.getBoundingClientRect();return{x:m.x+m.width/2,y:m.y+m.height/2}})()"
    )
    browser.move(box["x"], box["y"])
    assert "mark" in browser.value("document.querySelector('.zoom').closest('.plot').querySelector('output').textContent")
    assert browser.said == []


def test_the_value_under_the_pointer_is_told(browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages["report"], 1440)
    at = browser.value("(()=>{const b=document.querySelector('.plot .main').getBoundingClientRect();return{x:b.right-.4,y:b.y+20}})()")
    browser.move(at["x"], at["y"])
    told, last = browser.value("document.querySelector('.plot output').textContent"), full().curve
    assert told.endswith(f"{last.equity[-1]:,.0f}") and "2023-07-21 00:00:00" in told
    assert last.at_ms[-1] - last.at_ms[0] == 480 * HOUR
