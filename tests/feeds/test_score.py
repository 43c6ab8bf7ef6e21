from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.news.lexicon import WEIGHTS
from feeds.news.score import LEXICON, matches, score


@pytest.mark.parametrize(
    ("title", "sign"),
    [
        ("Bitcoin surges to all-time high as ETF inflows grow", 1),
        ("Ethereum rallies after upgrade", 1),
        ("SEC drops lawsuit against Ripple", 1),
        ("Inflation falls, lifting bitcoin to a fresh high", 1),
        ("Bitcoin crashes as exchange halts withdrawals", -1),
        ("Hackers stole $100 million from bridge", -1),
        ("SEC rejects ETF", -1),
        ("Bitcoin's rally fails at resistance", -1),
        ("Exchange files for bankruptcy", -1),
        ("Bitcoin will not crash, analyst says", 1),
        ("Bitcoin fails to rally", -1),
        ("ETF approval unlikely this year", -1),
        ("BITCOIN PLUNGES BELOW $20,000", -1),
    ],
)
def test_the_sign_is_what_a_reader_would_say(title: str, sign: int) -> None:
    found = score(title)
    assert found is not None
    assert found * sign > 0.1


@pytest.mark.parametrize(
    "title",
    [
        "Solana airdrop goes to ten thousand wallets",
        "Literally nothing here",
        "Backdrop for a conference in Lisbon",
        "Scampi recipe shared by a farmer",
        "What is a hard fork",
        "Fear and greed index explained",
        "New York conference programme",
        "",
        "比特币",
    ],
)
def test_words_inside_words_and_neutral_phrases_say_nothing(title: str) -> None:
    assert score(title) is None


def test_negation_and_intensity_reach_only_so_far() -> None:
    plain, denied, far = score("prices crash"), score("prices did not crash"), score("not one of the many coins here will crash")
    assert plain is not None and denied is not None and far is not None
    assert plain < 0 < denied < -plain
    assert far == pytest.approx(plain)
    sharp, slight = score("prices fall sharply"), score("prices slightly fall")
    assert sharp == score("prices fall")
    assert slight is not None and sharp is not None
    assert sharp < slight < 0
    louder = score("prices sharply fall")
    assert louder is not None and louder < sharp


def test_a_phrase_wins_over_the_words_in_it() -> None:
    assert [match.phrase for match in matches("Court case: SEC drops lawsuit")] == ["drops lawsuit"]
    assert [match.phrase for match in matches("Bear market ends")] == ["bear market"]


def test_the_lexicon_is_large_sound_and_says_each_phrase_once() -> None:
    phrases = Counter(phrase for words in WEIGHTS.values() for phrase in words.split())
    assert [phrase for phrase, times in phrases.items() if times > 1] == []
    assert len(LEXICON) >= 150
    assert all(-1 <= weight <= 1 for weight in LEXICON.values())
    assert all(word == word.lower() for phrase in LEXICON for word in phrase)
    unreachable = [phrase for phrase in LEXICON if not any(match.phrase == " ".join(phrase) for match in matches(" ".join(phrase)))]
    assert unreachable == [], "a phrase that the tokens of a title can never form"


@given(st.text(max_size=200))
def test_every_title_has_a_score_within_bounds_and_always_the_same(title: str) -> None:
    found = score(title)
    assert found is None or -1 <= found <= 1
    assert score(title) == found


def test_the_score_ranks_real_headlines_much_as_a_language_model_does(shared_data: Path) -> None:
    table = pd.read_parquet(shared_data / "news" / "gdelt_crypto_titles.parquet").dropna(subset=["finbert_score"])
    sample = table.iloc[::4]
    scores = pd.Series([score(title) for title in sample["title"]], index=sample.index, dtype=float)
    known = scores.notna()
    assert known.mean() > 0.6
    assert scores[known].rank().corr(sample["finbert_score"][known].rank()) > 0.58
