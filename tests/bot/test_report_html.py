"""The page: whole, alone, harmless, and readable without its script."""

import re
from html.parser import HTMLParser

import msgspec
import pytest

from bot.report_html import html
from tests.bot.reports import SPITE, full, least

VOID = {"meta", "link", "br", "img", "input", "hr"}
SVG_OWN = {"svg", "polyline", "polygon", "line", "rect", "title", "defs", "path", "use"}
KNOWN = SVG_OWN | {
    "html", "head", "meta", "link", "style", "body", "main", "script", "header", "h1", "h2", "p", "dl", "dt", "dd", "section", "ul", "li",
    "div", "span", "b", "small", "figure", "figcaption", "output", "table", "thead", "tbody", "tr", "th", "td", "code",
    "details", "summary",
}  # fmt: skip


class Page(HTMLParser):
    """Every tag with its attributes, in order; open tags are checked against their ends."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)


def test_the_page_asks_for_nothing() -> None:
    text = html(full())
    page = Page(text)
    assert page.open == []
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert name not in ("src", "srcset", "action", "formaction", "poster", "data", "xlink:href", "background"), (tag, name)
            if name == "href":
                assert (tag, value) == ("link", "data:,") or (tag == "use" and str(value).startswith("#m-"))
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert "http" not in style and not re.search(r"\b(fetch|XMLHttpRequest|import|WebSocket|sendBeacon)\b", text[text.index("<script>") :])


def test_the_policy_names_the_one_script_and_nothing_else() -> None:
    import base64
    import hashlib

    text = html(full())
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    policy = next(a["content"] for tag, a in Page(text).tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy is not None
    assert "default-src 'none'" in policy and f"script-src 'sha256-{own}'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1] and "http" not in policy


@pytest.mark.parametrize("spite", SPITE)
def test_text_from_outside_adds_no_tag_and_no_attribute(spite: str) -> None:
    calm, spited = Page(html(full())), Page(html(full(spite)))
    assert [tag for tag, _ in spited.tags] == [tag for tag, _ in calm.tags]
    assert [sorted(attributes) for _, attributes in spited.tags] == [sorted(attributes) for _, attributes in calm.tags]
    assert {tag for tag, _ in spited.tags} <= KNOWN
    assert not any(name.startswith("on") for _, attributes in spited.tags for name in attributes)
    assert spited.open == [] and "\x1b" not in html(full(spite)) and "\u202e" not in html(full(spite))


def test_everything_of_the_report_is_on_the_page_without_a_script() -> None:
    words = " ".join(Page(html(full())).words)
    for wanted in (
        "synthetic market", "Sharpe ratio", "Sortino ratio", "Maximum drawdown", "Calmar ratio", "Profit factor", "Win rate of bars", "IC",
        "Equity", "Drawdown", "Exposure", "Days by return", "Returns by month", "Trades", "Costs", "Fees", "Funding", "Slippage",
        "Contribution by symbol", "Contribution by signal", "Decisions by reason", "Refusals by code", "Assumptions", "Warnings",
        "price, entries and exits", "long entry 1", "short not taken 1", "stop 1", "4 of 5 drawn", "Why there was no order", "Impact",
        "Signals that were not taken", "3 bars to go", "open positions", "change of equity", "All 2 settings", "costs.taker_bps",
        "Sharpe ratio of the last", "Trades by net profit",
        "ETHUSDT misses 12 bars", "ab" * 32, "cd" * 32, "ef" * 32, "sluice replay --candles data --seed 7", "numpy 2.4",
    ):  # fmt: skip
        assert wanted in words, wanted


def test_only_an_invented_market_is_called_synthetic() -> None:
    assert "synthetic" not in html(msgspec.structs.replace(full(), synthetic=False))


def test_a_run_that_did_nothing_has_a_page() -> None:
    page = Page(html(least()))
    assert page.open == [] and "svg" not in {tag for tag, _ in page.tags}


def test_one_report_gives_one_page() -> None:
    assert html(full()) == html(full())


def test_the_page_is_made_for_narrow_and_wide_and_light_and_dark() -> None:
    text = html(full())
    assert 'name="viewport" content="width=device-width' in text
    assert "prefers-color-scheme:dark" in text and "max-width:760px" in text
