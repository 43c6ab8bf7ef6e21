"""`sluice verify`: a recorded run had again in a fresh process, every row compared."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.commands import options, setting
from bot.commands.progress import progress
from bot.errors import CheckFailed, NotFound, SluiceError
from bot.render import Out, pairs, plain

if TYPE_CHECKING:
    from bot.verdict import Verdict

EXAMPLES = ("sluice verify", "sluice verify P-4f1c2a9e --store paper.db --json", "sluice verify --all --store runs.db")
HASH_SEEDS = ("271828", "314159")


@click.command(cls=options.Command, examples=EXAMPLES)
@click.argument("run_name", metavar="[RUN]", default="last")
@click.option("--all", "every", is_flag=True, help="Every run of the store that can be had again.")
@click.option("--here", is_flag=True, hidden=True, help="In this process.")
@options.config_option
@options.store_option
@options.common
def verify(*, run_name: str, every: bool, here: bool, config_file: Path | None, store_file: Path | None, as_json: bool) -> int:
    """Have a run again in a fresh process and compare every decision, order, fill, refusal, funding and the ledger's end with the books.

    A paper or live run is settled again from its recorded inputs, event by event, and decided a third time in long blocks; a replay is
    run again from its files, whose hashes are compared, in other blocks. Exit 8 on a difference, 3 where there is nothing to have again.
    """
    if not here:
        return _in_a_fresh_process()
    from bot import modes

    out = Out(as_json)
    store = setting.books(config_file, store_file)
    names = _all_runs(store) if every else [run_name]
    verdicts: list[Verdict] = []
    for name in names:
        try:
            with progress("verifying", "inputs", resume="give the same command again: nothing was written") as tell:
                verdicts.append(modes.verify(store, name, tell))
        except NotFound as error:
            if not every:
                raise
            out.note(f"run {name} was passed over: {error}")
    if not verdicts:
        raise NotFound(f"{store} holds no run that can be had again; record one with sluice paper, sluice demo or sluice replay --store")
    _answer(out, verdicts, every)
    wrong = [verdict for verdict in verdicts if not verdict.ok]
    if wrong:
        raise CheckFailed("; ".join(map(_complaint, wrong)), answered=as_json)
    for verdict in verdicts:
        out.say(f"run {verdict.run}: {verdict.checked:,} rows had again, every one equal, chains whole")
        changed = _changed_strategy(store, verdict.run, config_file)
        if changed:
            out.note(changed)
    return 0


def _changed_strategy(store: Path, run: str, config_file: Path | None) -> str:
    """What became of the strategy file since the run, where it lies here or beside the configuration ("": nothing)."""
    import json

    from bot.sources import differing
    from bot.store.reader import Reader

    with Reader.open(store) as reader:
        own = json.loads(reader.run(run).config).get("strategy", {})
    for folder in dict.fromkeys((Path(), (config_file or Path("config.toml")).parent)):
        file = folder / own.get("file", "")
        if own.get("code") and own.get("file") and file.is_file():
            text = file.read_text(encoding="utf-8-sig", errors="replace").replace("\r\n", "\n")
            if text != own["code"]:
                then, now = differing(own["code"], text)
                return f"{file} has changed since: the run had {then}; it is {now}.  The run was verified with the source that it had"
    return ""


def _in_a_fresh_process() -> int:
    """The same command in an interpreter of its own, whose hashes of texts begin elsewhere."""
    words = click.get_current_context().find_root().obj
    seed = next(seed for seed in HASH_SEEDS if seed != os.environ.get("PYTHONHASHSEED"))
    piped = None if sys.stderr.isatty() else subprocess.PIPE
    command = [sys.executable, "-m", "bot", *words, "--here"]
    place = str(Path(__file__).parents[2])
    path = os.pathsep.join(part for part in (place, os.environ.get("PYTHONPATH")) if part)
    done = subprocess.run(
        command, env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=piped, check=False,
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    sys.stdout.write(done.stdout)
    if done.stderr:
        sys.stderr.write(done.stderr)
    if done.returncode < 0:
        raise SluiceError(f"the process that had the run again was killed by signal {-done.returncode}; give the command again")
    return done.returncode


def _all_runs(store: Path) -> list[str]:
    from bot.store.reader import Reader

    with Reader.open(store) as reader:
        return [row.id for row in reader.runs()]


def _answer(out: Out, verdicts: "list[Verdict]", every: bool) -> None:
    if out.json:
        out.document({"ok": all(one.ok for one in verdicts), "runs": verdicts} if every else verdicts[0])
        return
    for verdict in verdicts:
        out.say(*_shown(verdict, out), "")


def _shown(verdict: "Verdict", out: Out) -> list[str]:
    """The verdict for people."""
    head = f"run {verdict.run}  {verdict.mode}  {verdict.state}"
    rows = [(name, f"{one.rows:,}", f"{one.differing:,}" if one.differing else "-") for name, one in verdict.tables.items() if one.rows]
    if verdict.cuts.rows:
        rows.append(
            ("decided in blocks, warm-up too", f"{verdict.cuts.rows:,}", f"{verdict.cuts.differing:,}" if verdict.cuts.differing else "-")
        )
    lines = [out.style(head, "bold"), *out.table(("COMPARED", "ROWS", "DIFFERING"), rows, right=(1, 2))]
    told: list[tuple[str, str]] = [("inputs", f"{verdict.inputs:,}")] if verdict.inputs else []
    told += [("chain", verdict.chain), ("chain of inputs", verdict.inputs_chain)]
    same = " as written" if verdict.digest == verdict.digest_found else f", written {verdict.digest or 'none'}"
    told.append(("digest", verdict.digest_found + same))
    told += [(name, " -> ".join(both)) for name, both in verdict.ledger.items() if both[0] != both[1] or name == "equity_end"]
    told += [("fault", fault) for fault in verdict.faults] + [("not checked", said) for said in verdict.unchecked]
    lines += ["", *pairs(told)]
    for name, found in (("first difference", verdict.first), ("first decision", verdict.decision)):
        if found is not None and not (name == "first decision" and found == verdict.first):
            lines += ["", out.style(f"{name}: {plain(found.what)}", "bold"), *_both_sides(found, out)]
    return lines


def _both_sides(found: Any, out: Out) -> list[str]:  # Any: bot.verdict.Differing
    rows = [(name, _short(both[0]), _short(both[1])) for name, both in found.columns.items()]
    lines = out.table(("COLUMN", "WRITTEN", "FOUND"), rows)
    lines += [f"input #{seq} {kind} {plain(payload, 160)}" for seq, kind, payload in found.inputs]
    return [*lines, *([f"Next: {found.explain}"] if found.explain else [])]


def _short(value: object) -> str:
    return "-" if value is None else plain(value, 48)


def _complaint(verdict: "Verdict") -> str:
    """What is wrong with a run, in one sentence."""
    said = []
    if verdict.differing:
        first = verdict.first.what if verdict.first is not None else ""
        said.append(f"{verdict.differing} of {verdict.checked} rows of run {verdict.run} differ, first {first}")
    if verdict.chain != "whole":
        said.append(f"the chain of its decisions is {verdict.chain}")
    if verdict.inputs_chain != "whole":
        said.append(f"the chain of its inputs is {verdict.inputs_chain}")
    said += verdict.faults
    return f"run {verdict.run}: {'; '.join(said)}.  Was it recorded by another version?  sluice runs --json has the versions"
