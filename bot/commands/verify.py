"""`sluice verify`: a recorded run decided again, every digest compared."""

from pathlib import Path

import click

from bot.commands import options, setting
from bot.errors import CheckFailed
from bot.render import Out, pairs

WHOLE = "whole"


@click.command(cls=options.Command, examples=("sluice verify", "sluice verify paper-20240304 --store paper.db --json"))
@click.argument("run_name", metavar="[RUN]", default="last")
@options.config_option
@options.store_option
@options.common
def verify(run_name: str, config_file: Path | None, store_file: Path | None, as_json: bool) -> None:
    """Settle the recorded inputs of a run again and compare every decision and fill with what was written down. Exit 8 on a difference."""
    from bot import modes

    out = Out(as_json)
    result = modes.verify(setting.books(config_file, store_file), run_name)
    if as_json:
        out.document(result)
    else:
        out.say(*pairs((name, str(getattr(result, name))) for name in result.__struct_fields__ if getattr(result, name) not in ("", None)))
    wrong = []
    if result.differing:
        wrong.append(f"{result.differing} of {result.checked} decisions and fills of run {result.run} differ, first {result.first}")
    if result.chain != WHOLE:
        wrong.append(f"the chain of its decisions is {result.chain}: rows were changed after they were written")
    if wrong:
        text = f"{'; '.join(wrong)}.  Was it recorded by another version?  sluice runs --json has the versions"
        raise CheckFailed(text, answered=as_json)
    out.say(f"run {result.run}: {result.checked:,} decisions and fills, every digest equal, chain whole")
