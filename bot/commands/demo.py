"""`sluice demo`: watch the whole bot trade, offline, on a market that was made up."""

from pathlib import Path

import click

from bot.commands import options, setting
from bot.render import Out


@click.command(cls=options.Command, examples=("sluice demo", "sluice demo --speed 600 --minutes 2 --seed 7"))
@click.option("--speed", type=options.POSITIVE, metavar="X", help="How much faster than the clock.  [default: [demo] speed, 60]")
@click.option("--minutes", type=options.POSITIVE, metavar="N", help="End after so many minutes of yours.  [default: at the end]")
@click.option("--seed", type=options.SEED, default=None, metavar="N", help="Which market.  [default: [demo] seed]")
@options.config_option
@options.strategy_options
@options.store_option
@click.option("--no-web", is_flag=True, hidden=True, help="Without the dashboard.")
@options.common
def demo(
    *, speed: float | None, minutes: float | None, seed: int | None, config_file: Path | None, strategy_file: Path | None,
    changes: tuple[str, ...], store_file: Path | None, no_web: bool, as_json: bool,
) -> int:  # fmt: skip
    """Paper trading on a synthetic market: candles, headlines, on-chain and funding, accelerated. Needs no key and no network.

    The market is made on first use from a seed, in seconds. It is synthetic: what is earned on it says nothing about any real market.
    """
    from bot import modes
    from bot.commands.live import Watch
    from bot.commands.session import conduct

    out = Out(as_json)
    loaded = setting.configuration(config_file, strategy_file, changes)
    config = loaded.config
    store = setting.demo_path(loaded, store_file)
    watch = Watch(out, float(config.account.cash))
    speed = config.demo.speed if speed is None else speed
    out.say(
        f"market     {' '.join(config.exchange.symbols)}, {config.exchange.timeframe} bars at {speed:g}x, SYNTHETIC history, offline",
        f"store      {store}",
    )
    work = modes.demo(config, speed=speed, minutes=minutes, seed=seed, store=store, show=watch.show)
    with setting.pointing(loaded):
        return conduct(work, watch, out, store)
