"""Whom a headline is about: whole words, and doubt about words that are also English."""

import pytest

from feeds.news.about import COINS, symbols_in

UNIVERSE = tuple(f"{base}USDT" for base in COINS)


def bases(title: str) -> set[str]:
    return {symbol.removesuffix("USDT") for symbol in symbols_in(title, UNIVERSE)}


def test_the_table_knows_at_least_forty_coins() -> None:
    assert len(COINS) >= 40


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Bitcoin climbs as ETH stalls", {"BTC", "ETH"}),
        ("BITCOIN AND ETHEREUM RALLY", {"BTC", "ETH"}),
        ("bitcoin's fourth halving", {"BTC"}),
        ("Bitcoin’s fourth halving", {"BTC"}),
        ("Why $SOL and #AVAX move", {"SOL", "AVAX"}),
        ("Shiba Inu whales buy Dogecoin", {"SHIB", "DOGE"}),
        ("Cardano ( ADA ) price outlook", {"ADA"}),
        ("Chainlink taps banks", {"LINK"}),
        ("Top 5 to watch: BTC, LINK, HNT, FLOW, ONE", {"BTC", "LINK"}),
        ("LINK price breaks out", {"LINK"}),
        ("Why $LINK and $DOT jump", {"LINK", "DOT"}),
        ("Near Protocol raises $150M", {"NEAR"}),
        ("Stellar (XLM) partners with banks", {"XLM"}),
        ("Stellar network upgrade", {"XLM"}),
        ("Bitcoin Cash forks again", {"BCH"}),
        ("Bitcoin and Bitcoin Cash fall", {"BTC", "BCH"}),
        ("Ethereum Classic hash rate soars", {"ETC"}),
        ("Terra Luna Classic burns tokens", {"LUNC"}),
        ("Avalanche network halts", {"AVAX"}),
    ],
)
def test_coins_that_are_named_are_found(title: str, expected: set[str]) -> None:
    assert bases(title) == expected


@pytest.mark.parametrize(
    "title",
    [
        "Massive airdrop for early users",
        "Hackers linked to North Korea",
        "Exchange unlinks bank accounts",
        "Click the link in bio",
        "CLICK THE LINK NOW TO CLAIM",
        "One exchange to rule them all",
        "The end is near for stablecoins",
        "A dot on the chart",
        "Whether regulators gather together",
        "Netherlands bank methods",
        "Solar farms and solo miners",
        "Canada adapts rules",
        "A stellar year for investors",
        "An avalanche of lawsuits",
        "The ripple effect of rate cuts",
        "Optimism returns to markets",
        "Regulators in complete harmony on digital assets",
        "Compound interest explained",
        "A new cosmos of risk",
        "The graph shows growth",
        "Token launches soar",
        "Gas fees at a low",
        "Unique opportunity in Unity stock",
        "Bitcoin Gold 51% attack",
        "Global summit on atomic swaps",
        "",
        "$ 100 # 5",
    ],
)
def test_words_that_only_look_like_coins_are_not(title: str) -> None:
    assert bases(title) == set()


def test_only_the_universe_is_named_in_its_order_and_every_contract_of_a_coin() -> None:
    assert symbols_in("Ether, bitcoin, doge", ("BTCUSDT", "ETHUSDC", "BTCUSDC")) == ("BTCUSDT", "ETHUSDC", "BTCUSDC")
    assert symbols_in("Pepe coin doubles", ("1000PEPEUSDT",)) == ("1000PEPEUSDT",)


def test_a_coin_that_the_table_does_not_know_counts_as_a_guarded_ticker() -> None:
    assert symbols_in("Why $ZIG and others move", ("ZIGUSDT",)) == ("ZIGUSDT",)
    assert symbols_in("ZIG token listed", ("ZIGUSDT",)) == ("ZIGUSDT",)
    assert symbols_in("They zig and zag", ("ZIGUSDT",)) == ()


def test_markup_and_endless_titles_do_no_harm() -> None:
    assert symbols_in("<b>bitcoin</b>\x00\x1b[31m" + "x" * 100_000, ("BTCUSDT",)) == ("BTCUSDT",)
