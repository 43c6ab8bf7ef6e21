"""Which symbols a headline is about: names and tickers as whole words, never letters inside a word.

A ticker that is also an English word (ONE, NEAR, LINK, DOT) counts as `$LINK`, or in capitals beside words of the trade,
and never in a headline that is all capitals; a name that is also a word (Stellar, Compound) counts beside such words only.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from feeds.instruments import base_of


class Coin(NamedTuple):
    """How headlines call a coin.

    names    lower case, for certain: any capitalisation counts
    words    lower case, a name that is also a word: counts beside a word of the trade
    tickers  for certain in any capitalisation; `capitals` in capitals; `guarded` as $TICKER, or in capitals with context
    not_before  a name or word followed by one of these is something else (`ripple effect`)
    """

    names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    tickers: tuple[str, ...] = ()
    capitals: tuple[str, ...] = ()
    guarded: tuple[str, ...] = ()
    not_before: tuple[str, ...] = ()


COINS: dict[str, Coin] = {
    "BTC": Coin(names=("bitcoin", "bitcoins", "satoshi nakamoto"), tickers=("btc", "xbt"), not_before=("sv", "gold", "diamond")),
    "ETH": Coin(names=("ethereum", "ether", "vitalik buterin"), tickers=("eth",), not_before=("classic",)),
    "BNB": Coin(names=("binance coin", "binancecoin", "bnb chain"), tickers=("bnb",)),
    "XRP": Coin(names=("ripple", "xrp ledger"), tickers=("xrp",), not_before=("effect", "effects", "through", "across")),
    "SOL": Coin(names=("solana",), capitals=("SOL",)),
    "ADA": Coin(names=("cardano",), capitals=("ADA",)),
    "DOGE": Coin(names=("dogecoin",), tickers=("doge",)),
    "TRX": Coin(names=("tron network", "tron dao"), words=("tron",), tickers=("trx",)),
    "DOT": Coin(names=("polkadot",), guarded=("DOT",)),
    "AVAX": Coin(words=("avalanche",), names=("avalanche network", "ava labs"), tickers=("avax",), not_before=("of",)),
    "SHIB": Coin(names=("shiba inu", "shiba", "shibarium"), tickers=("shib",)),
    "LTC": Coin(names=("litecoin",), tickers=("ltc",)),
    "BCH": Coin(names=("bitcoin cash", "bitcoincash"), tickers=("bch",)),
    "LINK": Coin(names=("chainlink",), guarded=("LINK",)),
    "XLM": Coin(names=("stellar lumens", "stellar lumen"), words=("stellar",), tickers=("xlm",)),
    "ATOM": Coin(names=("cosmos hub",), words=("cosmos",), guarded=("ATOM",)),
    "UNI": Coin(names=("uniswap",), guarded=("UNI",)),
    "ETC": Coin(names=("ethereum classic",), guarded=("ETC",)),
    "XMR": Coin(names=("monero",), tickers=("xmr",)),
    "NEAR": Coin(names=("near protocol",), guarded=("NEAR",)),
    "ONE": Coin(names=("harmony one", "harmony protocol"), words=("harmony",), guarded=("ONE",)),
    "APT": Coin(names=("aptos",), guarded=("APT",)),
    "ARB": Coin(names=("arbitrum",), guarded=("ARB",)),
    "OP": Coin(names=("optimism network", "optimism foundation"), words=("optimism",), guarded=("OP",)),
    "FIL": Coin(names=("filecoin",), guarded=("FIL",)),
    "ICP": Coin(names=("internet computer", "dfinity"), capitals=("ICP",)),
    "HBAR": Coin(names=("hedera", "hedera hashgraph"), tickers=("hbar",)),
    "VET": Coin(names=("vechain",), guarded=("VET",)),
    "ALGO": Coin(names=("algorand",), guarded=("ALGO",)),
    "EOS": Coin(capitals=("EOS",)),
    "XTZ": Coin(names=("tezos",), tickers=("xtz",)),
    "AAVE": Coin(names=("aave",)),
    "MKR": Coin(names=("makerdao", "maker dao"), words=("maker",), tickers=("mkr",)),
    "COMP": Coin(names=("compound finance",), words=("compound",), guarded=("COMP",)),
    "SAND": Coin(names=("the sandbox",), guarded=("SAND",)),
    "MANA": Coin(names=("decentraland",), guarded=("MANA",)),
    "AXS": Coin(names=("axie infinity", "axie"), capitals=("AXS",)),
    "THETA": Coin(names=("theta network", "theta fuel"), guarded=("THETA",)),
    "FTM": Coin(names=("fantom",), capitals=("FTM",)),
    "S": Coin(names=("sonic labs",), guarded=("S",)),
    "GRT": Coin(names=("the graph network",), capitals=("GRT",)),
    "CRV": Coin(names=("curve finance", "curve dao"), capitals=("CRV",)),
    "LDO": Coin(names=("lido", "lido dao"), capitals=("LDO",)),
    "INJ": Coin(names=("injective",), capitals=("INJ",)),
    "SUI": Coin(names=("sui network", "mysten labs"), capitals=("SUI",)),
    "SEI": Coin(names=("sei network",), capitals=("SEI",)),
    "TIA": Coin(names=("celestia",), capitals=("TIA",)),
    "TON": Coin(names=("toncoin", "the open network"), guarded=("TON",)),
    "PEPE": Coin(names=("pepecoin", "pepe coin"), words=("pepe",), capitals=("PEPE",)),
    "WIF": Coin(names=("dogwifhat",), capitals=("WIF",)),
    "BONK": Coin(words=("bonk",), capitals=("BONK",)),
    "FLOKI": Coin(names=("floki", "floki inu")),
    "APE": Coin(names=("apecoin",), guarded=("APE",)),
    "FTT": Coin(names=("ftx token",), capitals=("FTT",)),
    "LUNA": Coin(names=("terra luna",), words=("terra", "luna"), capitals=("LUNA",)),
    "LUNC": Coin(names=("terra classic", "luna classic", "terra luna classic"), tickers=("lunc",)),
    "UST": Coin(names=("terrausd",), capitals=("UST",)),
    "MATIC": Coin(names=("polygon network", "polygon labs"), words=("polygon",), tickers=("matic",)),
    "POL": Coin(guarded=("POL",)),
    "CRO": Coin(names=("cronos",), capitals=("CRO",)),
    "DASH": Coin(words=("dash",), guarded=("DASH",)),
    "ZEC": Coin(names=("zcash",), tickers=("zec",)),
    "NEO": Coin(guarded=("NEO",)),
    "IOTA": Coin(names=("iota",)),
    "QNT": Coin(names=("quant network",), capitals=("QNT",)),
    "STX": Coin(words=("stacks",), capitals=("STX",)),
    "RNDR": Coin(names=("render network",), tickers=("rndr",)),
    "TAO": Coin(names=("bittensor",), capitals=("TAO",)),
    "KAS": Coin(names=("kaspa",), capitals=("KAS",)),
    "RUNE": Coin(names=("thorchain",), guarded=("RUNE",)),
    "HYPE": Coin(names=("hyperliquid",), guarded=("HYPE",)),
    "ENA": Coin(names=("ethena",), capitals=("ENA",)),
    "BSV": Coin(names=("bitcoin sv",), tickers=("bsv",)),
    "GAS": Coin(guarded=("GAS",)),
    "USDT": Coin(names=("tether",), tickers=("usdt",)),
    "USDC": Coin(names=("usd coin",), tickers=("usdc",)),
    "WLD": Coin(names=("worldcoin",), capitals=("WLD",)),
    "JUP": Coin(guarded=("JUP",)),
    "CAKE": Coin(names=("pancakeswap",), guarded=("CAKE",)),
    "SNX": Coin(names=("synthetix",), capitals=("SNX",)),
    "DYDX": Coin(names=("dydx",)),
    "GALA": Coin(names=("gala games",), guarded=("GALA",)),
    "CHZ": Coin(names=("chiliz",), capitals=("CHZ",)),
    "ENJ": Coin(names=("enjin",), capitals=("ENJ",)),
    "KSM": Coin(names=("kusama",), capitals=("KSM",)),
    "WAVES": Coin(guarded=("WAVES",)),
    "CELO": Coin(names=("celo",)),
    "EGLD": Coin(names=("multiversx", "elrond"), tickers=("egld",)),
}

TRADE = frozenset({
    "altcoin", "altcoins", "blockchain", "bearish", "bullish", "coin", "coins", "crypto", "cryptocurrency", "dao",
    "defi", "ecosystem", "foundation", "futures", "labs", "lumens", "mainnet", "network", "perpetual", "perps",
    "price", "prices", "protocol", "rally", "staking", "stablecoin", "token", "tokens", "usd", "usdc", "usdt",
    "validators", "wallet", "wallets", "whale", "whales", "btc", "eth", "xrp", "bitcoin", "ethereum", "xlm", "atom",
    "avax", "trx", "mkr", "luna", "lunc", "ust", "ustc", "matic", "dash", "stx",
})  # fmt: skip
NEIGHBOURS = {"capitals": 2, "guarded": 2, "word": 1}  # how far away a word of the trade may stand

_WORD = re.compile(r"[$#]|[A-Za-z0-9]+(?=(?:['’]s)?)")


class _Meaning(NamedTuple):
    """What a phrase may mean. kind: "sure", "capitals", "guarded" or "word"."""

    base: str
    kind: str
    not_before: frozenset[str]


def _table() -> dict[tuple[str, ...], _Meaning]:
    table: dict[tuple[str, ...], _Meaning] = {}
    for base, coin in COINS.items():
        unless = frozenset(coin.not_before)
        for kind, phrases in (
            ("sure", coin.names + coin.tickers),
            ("word", coin.words),
            ("capitals", coin.capitals),
            ("guarded", coin.guarded),
        ):
            for phrase in phrases:
                # a name and a ticker may be spelt alike (Avalanche, avax): the surer meaning was put in first
                table.setdefault(tuple(phrase.lower().split()), _Meaning(base, kind, unless if kind in ("sure", "word") else frozenset()))
    return table


_MEANINGS = _table()
_LONGEST = max(len(phrase) for phrase in _MEANINGS)


@lru_cache(maxsize=64)
def _universe(symbols: tuple[str, ...]) -> tuple[dict[str, list[str]], dict[tuple[str, ...], _Meaning], frozenset[str]]:
    """base -> its symbols; the phrases to look for (those of the table, and unknown bases as guarded tickers); their first words."""
    traded: dict[str, list[str]] = {}
    for symbol in symbols:
        traded.setdefault(base_of(symbol), []).append(symbol)
    phrases = dict(_MEANINGS)
    for base in traded:
        if base not in COINS and base.isalnum():
            phrases.setdefault((base.lower(),), _Meaning(base, "guarded", frozenset()))
    return traded, phrases, frozenset(phrase[0] for phrase in phrases)


class _Title(NamedTuple):
    """Words in order, as written and in lower case; `shouted` where all is capitals, which then mean nothing."""

    tokens: list[str]
    lower: list[str]
    shouted: bool


def symbols_in(title: str, universe: Sequence[str]) -> tuple[str, ...]:
    """The symbols of `universe`, in its order, that a headline names; empty where it is about the market at large."""
    traded, phrases, firsts = _universe(tuple(universe))
    tokens = _WORD.findall(title)
    lower = [token.lower() for token in tokens]
    if firsts.isdisjoint(lower):
        return ()
    read = _Title(tokens, lower, _shouted(tokens))
    found: set[str] = set()
    at = 0
    while at < len(tokens):
        longest = min(_LONGEST, len(tokens) - at) if read.lower[at] in firsts else 0
        for length in range(longest, 0, -1):
            meaning = phrases.get(tuple(read.lower[at : at + length]))
            if meaning is not None and _is_meant(meaning, read, at, length):
                found.add(meaning.base)
                at += length - 1
                break
        at += 1
    named = {symbol for base in found for symbol in traded.get(base, ())}
    return tuple(symbol for symbol in universe if symbol in named)


def _is_meant(meaning: _Meaning, title: _Title, at: int, length: int) -> bool:
    tokens, lower, end = title.tokens, title.lower, at + length
    if end < len(lower) and lower[end] in meaning.not_before:
        return False
    if meaning.kind == "sure" or (at > 0 and tokens[at - 1] in ("$", "#") and tokens[at].isupper()):
        return True
    if meaning.kind == "capitals" and tokens[at].isupper() and not title.shouted:
        return True
    if meaning.kind in ("capitals", "guarded") and not tokens[at].isupper():
        return False
    if meaning.kind == "guarded" and title.shouted:
        return False
    reach = NEIGHBOURS[meaning.kind]
    around = lower[max(0, at - reach) : at] + lower[end : end + reach]
    return any(word in TRADE for word in around)


def _shouted(tokens: list[str]) -> bool:
    words = [token for token in tokens if token.isalpha()]
    return len(words) >= 3 and sum(word.isupper() for word in words) >= 0.7 * len(words)
