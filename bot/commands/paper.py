"""`sluice paper`: trade on paper against the live market."""

from pathlib import Path

import click

from bot.commands import options, setting
from bot.render import Out


@click.command(cls=options.Command, examples=("sluice paper", "sluice paper --minutes 30 --store paper.db --json"))
@click.option("--minutes", type=options.POSITIVE, metavar="N", help="End after so many minutes.  [default: until stopped]")
@options.config_option
@options.strategy_options
@options.store_option
@click.option("--no-web", is_flag=True, hidden=True, help="Without the dashboard.")
@options.common
def paper(
    *, minutes: float | None, config_file: Path | None, strategy_file: Path | None, changes: tuple[str, ...], store_file: Path | None,
    no_web: bool, as_json: bool,
) -> int:  # fmt: skip
    """Trade on paper against the exchange's public market data: no key is needed, no order leaves this machine.

    Ctrl-C, SIGTERM or `sluice stop` end it; positions stay in the store and the next start goes on from there.
    """
    from bot import modes
    from bot.commands.live import Watch
    from bot.commands.session import conduct

    out = Out(as_json)
    loaded = setting.configuration(config_file, strategy_file, changes)
    config = loaded.config
    store = setting.store_path(loaded, store_file)
    watch = Watch(out, float(config.account.cash))
    out.say(
        f"market     {' '.join(config.exchange.symbols)}, {config.exchange.timeframe} bars, public data, orders on paper",
        f"store      {store}",
    )
    work = modes.paper(config, store=store, minutes=minutes, show=watch.show)
    with setting.pointing(loaded):
        return conduct(work, watch, out, store)
