"""`sluice halt`, `reduce`, `resume`, `stop`: the operator's word to the bot that runs on a store."""

from pathlib import Path

import click

from bot.commands import options, setting
from bot.events import Verb
from bot.render import Out, plain

WAIT = "How long the bot may take to obey.  [default: 10s]"
SAID = {
    Verb.HALT: "HALTED: no order leaves until sluice resume",
    Verb.REDUCE: "REDUCING: only orders that make positions smaller leave, until sluice resume",
    Verb.RESUME: "ACTIVE: trading again",
    Verb.STOP: "the session has ended; positions stay in the store",
}

reason_option = click.option("--reason", default="", metavar="TEXT", help="Why; it is kept with the command.")
wait_option = click.option("--wait", type=options.Span(), default=10_000, metavar="10s", help=WAIT)


@click.command(cls=options.Command, examples=("sluice halt --reason 'exchange is down'", "sluice halt --cancel --flatten"))
@click.option("--cancel", is_flag=True, help="Also take back every waiting order.")
@click.option("--flatten", is_flag=True, help="Also close every position at the market.")
@reason_option
@wait_option
@options.config_option
@options.store_option
@options.common
def halt(
    *, cancel: bool, flatten: bool, reason: str, wait: int, config_file: Path | None, store_file: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Stop trading now. Stops that protect positions stay where they are unless --cancel says otherwise.

    The state is kept in the store: a bot that goes on with its run is still halted (the demo begins anew).
    Exit 3 when nothing runs, 5 when it does not answer.
    """
    tell(Verb.HALT, setting.books(config_file, store_file), Out(as_json), reason, wait, cancel=cancel, flatten=flatten)


@click.command(cls=options.Command, examples=("sluice reduce --reason 'news at 14:00'",))
@reason_option
@wait_option
@options.config_option
@options.store_option
@options.common
def reduce(*, reason: str, wait: int, config_file: Path | None, store_file: Path | None, as_json: bool) -> None:
    """Let only orders pass that make positions smaller. Exit 3 when nothing runs, 5 when it does not answer."""
    tell(Verb.REDUCE, setting.books(config_file, store_file), Out(as_json), reason, wait)


@click.command(cls=options.Command, examples=("sluice resume --reason 'looked at it, all well'",))
@reason_option
@wait_option
@options.config_option
@options.store_option
@options.common
def resume(*, reason: str, wait: int, config_file: Path | None, store_file: Path | None, as_json: bool) -> None:
    """Trade again after halt or reduce, whoever ordered it. Exit 3 when nothing runs, 5 when it does not answer."""
    tell(Verb.RESUME, setting.books(config_file, store_file), Out(as_json), reason, wait)


@click.command(cls=options.Command, examples=("sluice stop", "sluice stop --reason 'new version' --wait 30s"))
@reason_option
@wait_option
@options.config_option
@options.store_option
@options.common
def stop(*, reason: str, wait: int, config_file: Path | None, store_file: Path | None, as_json: bool) -> None:
    """End the running session. Positions and waiting orders stay in the store. Exit 3 when nothing runs, 5 when it does not answer."""
    tell(Verb.STOP, setting.books(config_file, store_file), Out(as_json), reason, wait)


def tell(verb: Verb, store: Path, out: Out, reason: str, wait: int, *, cancel: bool = False, flatten: bool = False) -> None:
    """Give the command, wait for it to be obeyed, and say what it came to."""
    from bot.control import order_command

    given = order_command(store, verb, reason=plain(reason), cancel=cancel, flatten=flatten, wait_ms=wait)
    more = "".join((", waiting orders taken back" if cancel else "", ", positions closed" if flatten else ""))
    document = {
        "command": given.id, "verb": verb.value, "reason": plain(reason), "cancel": cancel, "flatten": flatten, "at": given.at,
        "done_at": given.done_at, "outcome": given.outcome,
    }  # fmt: skip
    took = f"command {given.id}, {plain(given.outcome)} after {(given.done_at - given.at) / 1000:.1f} s"
    out.answer(document, [f"{SAID[verb]}{more}", took])
