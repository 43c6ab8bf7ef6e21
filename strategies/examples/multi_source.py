"""The miner of many sources: price, volume, headlines, social posts and on-chain flows, fused into one view of each coin.

After the multi-source miner of the chapter that Sluice starts from, with its flaws out: windows are bars of the timeframe; each source
is scaled by its own trailing statistics before it is fused, so that a flow of -5,000 coins does not drown a return of 0.001; a source
that is not known takes no part instead of counting as 0; a story counts once however often it is syndicated, and its weight saturates;
all of it is dated by when it became known; and full agreement of confident sources gives a confidence of 1, not of 0.2.
"""

from strategies.strategy import Parameter, Signal, Strategy


class MultiSource(Strategy):
    """LONG when the sources that are known agree on rising prices, SHORT when on falling ones, by weight and confidence."""

    move: int = Parameter(24, low=6, high=240, says="bars of the move")
    scale: int = Parameter(168, low=48, high=1_440, says="trailing bars that every source is scaled by")
    price: float = Parameter(0.25, low=0.0, high=1.0, says="weight of the move")
    volume: float = Parameter(0.20, low=0.0, high=1.0, says="weight of the volume")
    news: float = Parameter(0.20, low=0.0, high=1.0, says="weight of the headlines")
    social: float = Parameter(0.15, low=0.0, high=1.0, says="weight of what people say")
    flow: float = Parameter(0.20, low=0.0, high=1.0, says="weight of the exchange flows")

    factors = {
        "walk": "(close / delay(close, {move}) - 1) / (ts_std(close / delay(close, 1) - 1, {scale}) * sqrt({move}))",
        "crowd": "ts_zscore(log(volume + 1), {scale})",
        "mood": "sentiment_news - ts_mean(sentiment_news, {scale})",
    }
    signals = {
        # confidence is how unusual the move is for this coin, not how large it is
        "price_momentum": Signal("tanh(walk)", "clip(abs(walk) / 2, 0, 1)", "{price}"),
        # a signed term: volume far above its own trailing level, in the direction of the move; below it, no view at all
        "volume_breakout": Signal("where(crowd > 1, sign(walk) * tanh(crowd - 1), 0 / 0)", "clip(crowd / 3, 0, 1)", "{volume}"),
        "sentiment_news": Signal("clip(2 * mood, -1, 1)", "news_count / (news_count + 3)", "{news}"),
        "sentiment_social": Signal("clip(sentiment_social, -1, 1)", "social_count / (social_count + 3)", "{social}"),
        # coins that leave the exchanges are not for sale: an outflow is bullish
        "onchain_flow": Signal("tanh(-exchange_netflow_z)", "0.7", "{flow}"),
    }
    rules = {
        "entry_threshold": 0.25, "exit_threshold": 0.05, "min_confidence": 0.4, "sizing": "volatility", "stop_loss": 0.06,
        "cool_down_bars": 6,
    }  # fmt: skip
