"""The strategy that runs when no file is named, as a file: six signals fused by weight and confidence.

The texts are those that the built-in signals have with the windows of config.toml; every decision is the same, to the last bit.
"""

from strategies.strategy import Parameter, Signal, Strategy


class Fused(Strategy):
    """LONG when the signals that are known agree on rising prices with some confidence, SHORT when on falling ones."""

    momentum: int = Parameter(720, low=60, high=2_880, says="bars of the move")
    volume: int = Parameter(60, low=10, high=480, says="bars of the mean volume")
    scale: int = Parameter(1_440, low=240, high=5_760, says="trailing bars that scale")

    factors = {
        "walk": "(close / delay(close, {momentum}) - 1) / (ts_std(close / delay(close, 1) - 1, {scale}) * sqrt({momentum}))",
        "ratio": "volume / ts_mean(volume, {volume})",
    }
    signals = {
        "price_momentum": Signal("tanh(walk)", "clip(abs(walk), 0, 1)", 0.25),
        "volume_breakout": Signal(
            "where(ratio > 1.5, sign(close / delay(close, {momentum}) - 1) * tanh(ratio - 1), 0 / 0)", "clip(ratio / 3, 0, 1)", 0.20
        ),
        "sentiment_news": Signal("clip(sentiment_news, -1, 1)", "news_count / (news_count + 3)", 0.20),
        "sentiment_social": Signal("clip(sentiment_social, -1, 1)", "social_count / (social_count + 3)", 0.15),
        "onchain_flow": Signal("tanh(-exchange_netflow_z)", "0.7", 0.20),
        "whale_accumulation": Signal("tanh(whale_balance_change_z)", "0.6", 0.10),
    }
