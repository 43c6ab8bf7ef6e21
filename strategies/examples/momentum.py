"""Momentum, declared: what rose keeps rising, held while it does.

Time-series momentum (Moskowitz, Ooi and Pedersen 2012): the move over two horizons, each in units of what a random walk of the trailing
volatility would make in as many bars, so that one threshold fits every coin and every bar length. Nothing here is called bar by bar.
"""

from strategies.strategy import Parameter, Strategy


class Momentum(Strategy):
    """LONG when the slow and the fast move agree upwards, SHORT downwards; out when their sum changes sign."""

    slow: int = Parameter(480, low=48, high=2_880, says="bars of the slow move")
    fast: int = Parameter(96, low=12, high=480, says="bars of the fast move")
    balance: float = Parameter(0.6, low=0.0, high=1.0, says="share of the slow move in the score")
    entry: float = Parameter(0.4, low=0.1, high=0.8, says="score that opens a position")

    factors = {
        "step": "ts_std(close / delay(close, 1) - 1, {slow})",
        "slow_move": "(close / delay(close, {slow}) - 1) / (step * sqrt({slow}))",
        "fast_move": "(close / delay(close, {fast}) - 1) / (step * sqrt({fast}))",
    }
    score = {
        "slow": "{balance} * tanh(slow_move)",
        "fast": "(1 - {balance}) * tanh(fast_move)",
    }
    rules = {"entry_threshold": "{entry}", "exit_threshold": 0.0, "sizing": "volatility", "stop_loss": 0.05, "cool_down_bars": 0}
