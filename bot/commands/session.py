"""A session in the foreground: shown while it runs, summed up when it ends, whoever ended it."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from bot import logs
from bot.commands import setting, summary
from bot.commands.live import Watch, interrupted
from bot.render import Out, money

T = TypeVar("T")

CODES = {signal.SIGINT: 130, signal.SIGTERM: 0}


class Interrupted(Exception):
    """A signal ended the session, and it closed cleanly. `code` is the exit code that the signal asks for."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"stopped by {number.name}")
        self.code = CODES[number]


def conduct(work: Coroutine[Any, Any, Any], watch: Watch, out: Out, store: Path) -> int:  # Any: a PaperResult, by its names
    """Run a session to its end, say what it came to and what to do next; returns the exit code."""
    out.say("Ctrl-C stops.")
    try:
        with logs.to_file(store.with_suffix(".log")), watch:
            result = until_stopped(work)
    except OSError:  # of the log file or the store, before the work began
        work.close()
        raise
    except Interrupted as end:
        tally = watch.tally
        out.say(f"{end}: {tally.bars:,} bars, {tally.decisions:,} decisions, {tally.fills} fills, equity {money(tally.equity)}")
        _next(out, store)
        if out.json:
            out.document(interrupted(tally))
        return end.code
    out.say("", *summary.lines(result, out))
    _next(out, store)
    if out.json:
        out.document(result)
    return 0


def _next(out: Out, store: Path) -> None:
    here = setting.flag(store)
    out.say("", f"Next: sluice explain traded{here}", f"      sluice why-not{here}", f"      sluice report{here}")


def until_stopped(work: Coroutine[Any, Any, T]) -> T:  # Any: what a coroutine sends and takes is nobody's business here
    """Run it to its end. The first SIGINT or SIGTERM cancels it and raises Interrupted once it has cleaned up; the second cuts it short."""
    return asyncio.run(_guarded(work))


async def _guarded(work: Coroutine[Any, Any, T]) -> T:  # Any: as above
    heard: list[signal.Signals] = []
    task = asyncio.current_task()
    assert task is not None

    def hear(number: signal.Signals) -> None:
        heard.append(number)
        if len(heard) > 1:
            raise KeyboardInterrupt
        task.cancel()

    if threading.current_thread() is threading.main_thread():
        for number in CODES:
            asyncio.get_running_loop().add_signal_handler(number, hear, number)
    try:
        return await work
    except asyncio.CancelledError:
        if len(heard) != 1:  # cut short: nobody is left to hear how it ended
            raise
        task.uncancel()
        raise Interrupted(heard[0]) from None
