"""Headlines for an invented market: who writes, what about, and in which mood.

Outlets live under `.example`, which nobody can own; no headline names a person or a company.
"""

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.bars import Array
from feeds.synth.numbers import Dice, bounded
from feeds.times import DAY, MINUTE, SECOND

OUTLETS = ("ledgerwire", "blockgazette", "chaincourier", "tidemarkets", "hashherald", "nodedispatch", "orderbooktimes", "mempooldaily")
FORUMS = ("coinplaza", "satsquare", "stackboard")
NAMES = {
    "BTC": "Bitcoin", "ETH": "Ethereum", "SOL": "Solana", "XRP": "XRP", "DOGE": "Dogecoin", "ADA": "Cardano", "BNB": "BNB",
    "LTC": "Litecoin", "DOT": "Polkadot", "LINK": "Chainlink", "AVAX": "Avalanche", "TRX": "Tron",
}  # fmt: skip
MARKET = "crypto"

GOOD = (
    "{name} surges as spot demand hits a record", "{name} rallies after upgrade passes its final test",
    "Regulator approves new {name} fund, inflows jump", "{name} adoption grows as merchants report strong gains",
    "Large holders accumulate {name} on strong demand", "{name} breaks out to a new monthly high on bullish volume",
    "{name} venue wins approval, traders cheer", "{name} network grows faster after successful upgrade",
)  # fmt: skip
BAD = (
    "{name} plunges as liquidations cascade", "Exploit drains funds from {name} bridge, withdrawals halted",
    "Regulator opens lawsuit over {name} products", "{name} slumps after outage halts transfers",
    "Holders dump {name} as exchange inflows spike", "{name} crashes through support on bearish volume",
    "Hack fears weigh on {name}, venue pauses withdrawals", "Ban proposal hits {name}, traders fear losses",
)  # fmt: skip
PLAIN = (
    "{name} trades sideways ahead of the weekend", "What to watch in {name} this week", "{name} developers publish their quarterly notes",
    "Explainer: how {name} fees are set", "{name} volume steady as traders wait", "Survey: who holds {name} and why",
)  # fmt: skip
TALK_GOOD = (
    "{name} looking bullish here, adding more",
    "that {name} breakout is real, huge gains coming",
    "{name} strong, dips get bought",
)
TALK_BAD = ("{name} looks weak, bearish all the way down", "got out of {name}, this will crash", "{name} dump not over, fear everywhere")
TALK_PLAIN = ("anyone trading {name} today?", "{name} chart thread", "quiet hour in {name}, waiting")

A_DAY = 36.0  # stories a day, two thirds of them press
MOVING = 0.4  # share of stories that the price answers
LAG = (15 * SECOND, 100 * SECOND)  # from publication to us


class Stories(NamedTuple):
    """Stories in order of publication.

    ts_ms, available_ms  published, and known to us
    about                position of the symbol, -1 for the market as a whole
    mood                 float64[N] in [-1, 1], what the headline says
    strength             float64[N], how far the price moves on it, in units of the usual jump; 0 for most
    """

    ts_ms: list[int]
    available_ms: list[int]
    ids: list[str]
    domains: list[str]
    titles: list[str]
    kinds: list[str]
    about: list[int]
    mood: Array
    strength: Array


def write_stories(seed: int, bases: tuple[str, ...], start_ms: int, end_ms: int) -> Stories:
    """Every story published in [start_ms, end_ms), about the symbols with these base coins."""
    dice = Dice(seed, "stories")
    count = max(1, int(A_DAY * (end_ms - start_ms) / DAY))
    times = np.sort(dice.uniform(count))
    ts = [start_ms + int(u * (end_ms - start_ms - MINUTE)) // SECOND * SECOND for u in times.tolist()]
    lag = [LAG[0] + int(u * (LAG[1] - LAG[0])) for u in dice.uniform(count).tolist()]
    social = dice.uniform(count) < 1 / 3
    about = [pick - 1 for pick in dice.whole(count, len(bases) + 1)]
    moving = dice.uniform(count) < MOVING
    leaning = bounded(dice.normal(count) * 0.8)
    mood = np.where(moving, np.where(leaning < 0, -0.35, 0.35) + leaning * 0.6, leaning * 0.35)
    strength = np.where(moving, (0.4 + dice.exponential(count)) * np.where(social, 0.35, 1.0), 0.0)
    mood = np.rint(np.clip(mood, -1.0, 1.0) * 1e4) / 1e4
    titles, domains = _words(dice, bases, about, mood, social)
    ids = [hashlib.sha256(f"{seed}/{n}/{ts[n]}/{titles[n]}".encode()).hexdigest()[:12] for n in range(count)]
    kinds = ["social" if s else "news" for s in social.tolist()]
    return Stories(ts, [at + wait for at, wait in zip(ts, lag, strict=True)], ids, domains, titles, kinds, about, mood, strength)


def _words(dice: Dice, bases: tuple[str, ...], about: list[int], mood: Array, social: NDArray[np.bool_]) -> tuple[list[str], list[str]]:
    """Titles that say what the mood says, and who published them."""
    pick, place = dice.uniform(len(about)).tolist(), dice.uniform(len(about)).tolist()
    titles, domains = [], []
    for n, (symbol, feeling, talk) in enumerate(zip(about, mood.tolist(), social.tolist(), strict=True)):
        good, bad, plain = (TALK_GOOD, TALK_BAD, TALK_PLAIN) if talk else (GOOD, BAD, PLAIN)
        texts = good if feeling > 0.15 else bad if feeling < -0.15 else plain
        name = MARKET if symbol < 0 else NAMES.get(bases[symbol], bases[symbol])
        title = texts[int(pick[n] * len(texts))].format(name=name)
        titles.append(title[:1].upper() + title[1:] if not talk else title)
        outlets = FORUMS if talk else OUTLETS
        domains.append(f"{outlets[int(place[n] * len(outlets))]}.example")
    return titles, domains
