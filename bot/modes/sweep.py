"""A sweep: settings tried on what was, judged on what came next.

The rule: every figure that counts is out of sample. Time is walked forward in purged folds; in each the tries see the train span alone,
the best of them is replayed over the next one, and those spans put together are what the sweep is judged by.
"""

import hashlib
import math
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np

from bot.config import Config, ConfigProblems
from bot.errors import ConfigError
from bot.luck import Luck, Stability, luck, stability
from bot.modes.parts import config_json
from bot.modes.trial import HALTED_MS, Files, Job, attempt, data_hash, key_of, market_of
from bot.research.splits import Fold, Slice, walk_forward
from bot.sampling import ROUND, SAMPLERS, Dimension, Value
from bot.store.trials import Ledger, Trial
from feeds.errors import BadData
from feeds.times import DAY, HOUR, YEAR, Millis, iso, now

METRICS = (
    "sharpe", "sharpe_daily", "sharpe_probability", "sortino", "calmar", "total_return", "annualised_return", "max_drawdown",
    "profit_factor", "profit_factor_trades", "win_rate", "win_rate_trades", "average_trade", "expectancy", "ic", "rank_ic",
)  # fmt: skip
SHOWN = ("sharpe", "sortino", "total_return", "max_drawdown", "turnover", "trades")


class Tell(Protocol):
    def __call__(self, done: int, total: int | None = None, detail: str = "") -> None: ...


class Plan(NamedTuple):
    """What to search, and how.

    configured  the settings of a try, by its values; raises ConfigProblems where they cannot be together
    trials      of each fold; purge, embargo  milliseconds left out at the end of a train span, and before its test span
    start, stop UTC milliseconds, None: as the data have it
    """

    configured: Callable[[Mapping[str, Value]], Config]
    files: Files
    space: tuple[Dimension, ...]
    sampler: str = "tpe"
    metric: str = "sharpe"
    trials: int = 40
    folds: int = 4
    anchored: bool = True
    purge: Millis = DAY
    embargo: Millis = DAY
    start: Millis | None = None
    stop: Millis | None = None
    seed: int = 0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One fold. Spans are UTC milliseconds; figures those of the replays, None where one cannot be had.

    trials    made in it; failed: those whose settings contradict each other or that measured nothing
    best      what was chosen; in_sample, out_of_sample: its figures;  start  those of the settings as they were, out of sample
    digests   of the two replays of what was chosen
    """

    fold: int
    train: tuple[Millis, Millis]
    test: tuple[Millis, Millis] | None
    trials: int
    failed: int
    best: dict[str, Value]
    in_sample: dict[str, float | None]
    out_of_sample: dict[str, float | None] | None
    start: dict[str, float | None] | None
    digests: tuple[str, ...]


class SweepResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep came to. `best` is the choice of the last fold; `replays` how many were made now, `found` taken from the ledger.

    stitched  the test spans one after the other: total return, Sharpe ratio a year, deepest fall, number of periods
    """

    sweep: str
    metric: str
    sampler: str
    seed: int
    period: Millis
    space: tuple[Dimension, ...]
    folds: tuple[Step, ...]
    best: dict[str, Value]
    stitched: dict[str, float | None]
    luck: Luck
    stability: dict[str, Stability]
    replays: int
    found: int
    trials_ever: int
    command: str = ""
    warnings: tuple[str, ...] = ()


def sweep(plan: Plan, ledger: Ledger, jobs: int = 1, tell: Tell = lambda done, total=None, detail="": None) -> SweepResult:
    """Search, and judge what was found. What the ledger has is not replayed again.

    jobs  processes; the result does not depend on them
    Raises ConfigError, BadData, StrategyError, FactorError before the first try.
    """
    if plan.metric not in METRICS:
        raise ConfigError(f"--metric {plan.metric}: it is one of {', '.join(METRICS)}")
    search = _Search(plan, ledger, jobs, tell)
    return search.run()


class _Search:
    def __init__(self, plan: Plan, ledger: Ledger, jobs: int, tell: Tell) -> None:
        self.plan, self.ledger, self._jobs, self._tell = plan, ledger, jobs, tell
        self.base = plan.configured({})
        market = market_of(plan.files, self.base.replay.venue)
        self.data = data_hash(market, plan.files)
        history = market.history
        self.timeframe = history.timeframe
        self.span = (max(plan.start or 0, history.span[0]), min(plan.stop or history.span[1], history.span[1]))
        self.folds = self._folds()
        self.period = _period(self.span[1] - self.span[0], self.timeframe)
        self.name = self._named()
        self.made = self.found = self._done = 0
        self._halts: list[str] = []
        self._executor: Executor | None = None

    def run(self) -> SweepResult:
        """All folds, one after the other: a later one may not be known before an earlier one is judged."""
        self.ledger.begin(self.name, config_json(self.base), now())
        steps, tries, outside = [], list[list[Trial]](), []
        with self._pool():
            for number, fold in enumerate(self.folds):
                step, tried, tested = self._fold(number, fold)
                steps.append(step)
                tries.append(tried)
                outside += [tested] if tested is not None else []
        chosen = [step.best for step in steps]
        last, returns = tries[-1], np.concatenate([one.array() for one in outside]) if outside else np.empty(0)
        place = next((i for i, one in enumerate(last) if one.values == chosen[-1]), 0)
        ever = self.ledger.choices(self.data)
        result = SweepResult(
            sweep=self.name, metric=self.plan.metric, sampler=self.plan.sampler, seed=self.plan.seed, period=self.period,
            space=self.plan.space, folds=tuple(steps), best=chosen[-1], stitched=self._stitched(returns),
            luck=luck([one.array() for one in last], place, returns, ever), stability=stability(self.plan.space, chosen),
            replays=self.made, found=self.found, trials_ever=ever, warnings=self._warnings(steps),
        )  # fmt: skip
        self.ledger.finish(self.name, msgspec.json.encode(result).decode())
        return result

    def _fold(self, number: int, fold: Fold) -> tuple[Step, list[Trial], Trial | None]:
        """Try on the train span, then replay the best over the test span."""
        train, test = self._instants(fold.train), self._instants(fold.test) if fold.test.rows else None
        sampler = SAMPLERS[self.plan.sampler](self.plan.space, self.plan.seed + number)
        tried: list[Trial] = []
        asked_in_all = failed = 0
        while asked_in_all < self.plan.trials:
            asked = sampler.ask(min(ROUND, self.plan.trials - asked_in_all))
            if not asked:
                break
            answers = self._replays([(values, f"{number + 1}/{len(self.folds)}") for values in asked], train)
            sampler.tell([self._score(one) for one in answers])
            for values, one in zip(asked, answers, strict=True):
                if one is None:
                    failed += 1
                else:
                    tried.append(msgspec.structs.replace(one, values=values))
                    self.ledger.use(self.name, number, "train", asked_in_all, one.key)
                asked_in_all += 1
        ranked = [one for one in tried if not math.isnan(self._score(one))]
        if not ranked:
            opens, closes = iso(train[0]), iso(train[1])
            raise BadData(f"no try measured {self.plan.metric} from {opens} to {closes}: none traded, or none could be; widen the ranges")
        best = max(ranked, key=self._score)
        tested = self._replays([(best.values, "test")], test)[0] if test else None
        plain = self._replays([({}, "test")], test)[0] if test else None
        if tested is not None:
            self.ledger.use(self.name, number, "test", 0, tested.key)
        self._note_halts(number + 1, best, tested)
        step = Step(
            fold=number + 1, train=train, test=test, trials=len(tried), failed=failed + len(tried) - len(ranked), best=best.values,
            in_sample=_shown(best), out_of_sample=None if tested is None else _shown(tested),
            start=None if plain is None else _shown(plain), digests=(best.digest, *([] if tested is None else [tested.digest])),
        )  # fmt: skip
        return step, tried, tested

    def _replays(self, asked: Sequence[tuple[Mapping[str, Value], str]], span: tuple[Millis, Millis]) -> list[Trial | None]:
        """A trial for each, from the ledger or made now and kept at once; None where the settings contradict each other."""
        jobs: list[Job | None] = [self._job(values, span) for values, _ in asked]
        known = {job.key: self.ledger.find(job.key) for job in jobs if job is not None}
        missing = list({job.key: job for job in jobs if job is not None and known[job.key] is None}.values())
        self.found += sum(1 for trial in known.values() if trial is not None)
        for trial in self._executor.map(attempt, missing) if self._executor is not None else map(attempt, missing):
            self.ledger.put(trial, now())
            known[trial.key] = trial
            self.made += 1
        for _, detail in asked:
            self._done += 1
            self._tell(self._done, len(self.folds) * (self.plan.trials + (2 if self.folds[0].test.rows else 0)), f"fold {detail}")
        return [None if job is None else known[job.key] for job in jobs]

    def _job(self, values: Mapping[str, Value], span: tuple[Millis, Millis]) -> Job | None:
        try:
            config = self.plan.configured(values)
        except ConfigProblems:
            if not values:
                raise
            return None
        key, choice = key_of(config, f"{self.data}{self.period}", *span)
        return Job(key, choice, self.data, dict(values), config, self.plan.files, *span, self.period)

    def _score(self, trial: Trial | None) -> float:
        value = None if trial is None else trial.figures.get(self.plan.metric)
        return math.nan if value is None else value

    def _folds(self) -> list[Fold]:
        begin, stop = (at // self.timeframe for at in self.span)
        if not self.plan.folds:
            return [Fold(Slice("train", begin, stop), Slice("test", stop, stop))]
        gaps = (-(-self.plan.purge // self.timeframe), -(-self.plan.embargo // self.timeframe))
        found = walk_forward(begin, stop, self.plan.folds, *gaps, anchored=self.plan.anchored)
        if len(found) < self.plan.folds:
            opens, closes = iso(self.span[0]), iso(self.span[1])
            raise BadData(f"{self.plan.folds} folds do not fit between {opens} and {closes}; give fewer --folds, or a shorter --purge")
        return found

    def _instants(self, part: Slice) -> tuple[Millis, Millis]:
        return part.start * self.timeframe, part.stop * self.timeframe

    def _named(self) -> str:
        """A sweep is named by what it is made of; more trials of it go on with it."""
        said = [config_json(self.base), self.data, [msgspec.to_builtins(one) for one in self.plan.space], self.plan.sampler,
                self.plan.metric, self.plan.seed, [(fold.train, fold.test) for fold in self.folds]]  # fmt: skip
        return f"S-{hashlib.sha256(msgspec.json.encode(said, order='sorted')).hexdigest()[:12]}"

    @contextmanager
    def _pool(self) -> Iterator[None]:
        if self._jobs <= 1:
            yield
            return
        with ProcessPoolExecutor(self._jobs, get_context("spawn"), _leave_signals) as self._executor:
            yield

    def _stitched(self, returns: Any) -> dict[str, float | None]:  # Any: float64[T]
        if not len(returns):
            return {"total_return": None, "sharpe": None, "max_drawdown": None, "periods": 0}
        growth = np.cumprod(1.0 + returns)
        peak = np.maximum.accumulate(np.concatenate(([1.0], growth)))[1:]
        spread = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
        sharpe = float(returns.mean()) / spread * math.sqrt(YEAR / self.period) if spread > 0.0 else None
        return {
            "total_return": float(growth[-1] - 1.0), "sharpe": sharpe, "max_drawdown": float((growth / peak - 1.0).min()),
            "periods": float(len(returns)),
        }  # fmt: skip

    def _note_halts(self, fold: int, best: Trial, tested: Trial | None) -> None:
        for span, one in (("train", best), ("test", tested)):
            since = None if one is None else one.figures.get(HALTED_MS)
            if since is not None:
                self._halts.append(f"fold {fold}: the chosen one traded in its {span} span until {iso(int(since))}, when risk HALTED it")

    def _warnings(self, steps: Sequence[Step]) -> tuple[str, ...]:
        said = []
        if not self.plan.folds:
            said.append("no folds: every figure is in sample, and says nothing of what comes")
        failed = sum(step.failed for step in steps)
        if failed:
            said.append(f"{failed} of {sum(step.trials for step in steps) + failed} tries measured nothing or could not be")
        for one in self.plan.space:
            if one.kind != "choice" and any(step.best[one.name] in (one.at(one.low), one.at(one.high)) for step in steps):
                said.append(f"{one.name} was chosen at the end of its range: the best may lie beyond it")
        return (*said, *self._halts)


def _leave_signals() -> None:
    """Ctrl-C is for the process that asked: a try that is under way ends, and is kept or not."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _period(span: Millis, timeframe: Millis) -> Millis:
    """Days where there are enough of them, else hours: never less than a bar."""
    period = DAY if span >= 120 * DAY else 4 * HOUR if span >= 20 * DAY else HOUR
    return max(timeframe, period)


def _shown(trial: Trial) -> dict[str, float | None]:
    return {name: trial.figures.get(name) for name in dict.fromkeys((*SHOWN, *METRICS))}
