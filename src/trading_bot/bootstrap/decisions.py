"""The analyst's decisions over recorded time, wired: recorded once with a model, then replayed from its cassettes as often as one likes.

Promises the orchestrator's own backtest mode in both, and that a replay asks nobody: it has no binary, no socket and no money to spend.
Refuses to go on where the cassettes hold no answer: ReplayMissError names the day and the step.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self

from trading_bot import __version__
from trading_bot.backtest.card import Inputs, make_card
from trading_bot.backtest.knowledge import Knowledge, knowledge
from trading_bot.backtest.leak import HORIZON, Forward, Judgement, LeakScore, judgements, leak_score
from trading_bot.backtest.plan import Market, Result
from trading_bot.bootstrap.cassettes import Recorded, begin
from trading_bot.bootstrap.desk import Assembly, announce, build
from trading_bot.bootstrap.desk_results import desk_market, desk_plan, desk_result
from trading_bot.bootstrap.kinds import kind_of
from trading_bot.bootstrap.setting import Setting
from trading_bot.config import Config
from trading_bot.domain.errors import NoDataError, ReplayMissError, ResearchError
from trading_bot.domain.mandate import Mode
from trading_bot.domain.market import Timeframe
from trading_bot.domain.proposals import Decision, Outcome
from trading_bot.domain.records import TaskStatus
from trading_bot.domain.values import Symbol, derive_digest
from trading_bot.llm.calls import Ending
from trading_bot.llm.cutoffs import latest
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.orchestrator.backtesting import Period, check, report
from trading_bot.orchestrator.scheduler import Slot
from trading_bot.orchestrator.trading_orchestrator import Listener, TradingOrchestrator
from trading_bot.storage.home import Home

STRATEGY = "decisions"
_NOBODY = frozenset({Ending.OVER_BUDGET, Ending.USAGE_LIMIT, Ending.NOT_STARTED, Ending.NO_LOGIN})
"""Endings after which the next question would end so too."""
PARTS = {"may_know": "days that it may have read about", "unseen": "days after its training data"}
"""Of a leak score, in words."""
_DAY = timedelta(days=1)
_LOOKBACK = 3000
"""Daily bars that are read to measure what came of judgements."""


@dataclass(frozen=True)
class Asked:
    """A run that is wanted: `config` and the period are whole, `home` is where the ledger and the binary's surroundings are."""

    config: Config
    home: Home
    operator: Path
    first: date
    last: date


@dataclass(frozen=True)
class Replayed:
    """A finished run."""

    result: Result
    report: dict[str, Any]
    """The orchestrator's own."""
    knowledge: Knowledge
    judgements: tuple[Judgement, ...]
    forward: Forward
    """What came of a symbol: for research alone, no analyst sees it."""

    def noted(self, scores: Mapping[str, LeakScore]) -> Self:
        """The same with its leak scores among the notes of its result."""
        told = tuple(f"{PARTS[part]}: {line}" for part, score in scores.items() if score.pairs for line in score.told())
        return replace(self, result=self.result.model_copy(update={"notes": (*self.result.notes, *told)}))


def record(asked: Asked, folder: Path, mask: int | None, stop: threading.Event, tell: Listener) -> None:
    """Let Claude decide over the period and keep every call in `folder`, with what a replay needs to find it again.

    Costs what the calls cost, within the budget; started again, it goes on and pays for no answer twice. ResearchError if it was stopped,
    if nobody can be asked any more (budget, limit, login, binary), or if the folder holds another recording.
    """
    config = asked.config.model_copy(update={"analyst": "claude", "cassettes": None})
    begin(folder, config, asked.first, asked.last, mask)
    _run(config, _setting(asked, cassettes=folder, mask=mask), asked, stop, lambda assembly: _asking(assembly, tell))


def replay(asked: Asked, recorded: Recorded, command: str, stop: threading.Event, tell: Listener) -> Replayed:
    """Decide the period again from the records alone. ReplayMissError where they hold no answer, ResearchError if it was stopped."""
    config = recorded.adapted(asked.config)
    setting = _setting(asked, cassettes=None, mask=recorded.mask)
    assembly = _run(config, setting, asked, stop, lambda _assembly: _strict(tell))
    market, plan = desk_market(assembly), desk_plan(config, STRATEGY, asked.first, asked.last)
    plain = desk_result(assembly, plan)
    found = latest(recorded.models)
    known = knowledge(plain, recorded.models, None if found is None else found.last, "" if found is None else found.source)
    made = assembly.journal.all(Decision)
    inputs = Inputs(derive_digest(STRATEGY), config.trading_digest(), recorded.prompts, recorded.models, {"cassettes": recorded.digest})
    notes = (*_notes(recorded, made), known.told, *plain.notes)
    result = plain.model_copy(update={"notes": notes}).with_card(make_card(plan, market, inputs, command))
    period = Period(assembly.source, open_calendar, config.universe.symbols, asked.first, asked.last)
    return Replayed(result, report(assembly.desk, period), known, judgements(made), _forward(market))


def leak(plain: Replayed, blind: Replayed) -> dict[str, LeakScore]:
    """The leak score over the days that the model may know, where memory can show, and over those that it cannot, for comparison."""
    parts = {}
    for name, wanted in (("may_know", True), ("unseen", False)):
        one, other = ([j for j in run.judgements if plain.knowledge.suspect(j.session) is wanted] for run in (plain, blind))
        parts[name] = leak_score(one, other, plain.forward, seed=plain.result.plan.seed)
    return parts


def _setting(asked: Asked, *, cassettes: Path | None, mask: int | None) -> Setting:
    return Setting(
        Mode.BACKTEST,
        simulated=True,
        home=asked.home,
        operator=asked.operator,
        first=asked.first,
        last=asked.last,
        cassettes=cassettes,
        mask=mask,
    )


def _run(config: Config, setting: Setting, asked: Asked, stop: threading.Event, listener: Callable[[Assembly], Listener]) -> Assembly:
    if not open_calendar(kind_of(asked.config).calendar).sessions(asked.first, asked.last):
        raise NoDataError(f"there is no trading session from {asked.first} to {asked.last}: widen --start and --end")
    assembly = build(config, setting, stop)
    check(Period(assembly.source, open_calendar, config.universe.symbols, asked.first, asked.last))
    announce(assembly, __version__)
    slots = assembly.scheduler.slots_between(asked.first, asked.last)
    until = slots[-1].due if slots else None
    TradingOrchestrator(assembly.desk, assembly.scheduler, stop, until=until, tell=listener(assembly)).run()
    if stop.is_set():
        raise ResearchError("the run was stopped; the calls that were made are kept")
    return assembly


def _asking(assembly: Assembly, tell: Listener) -> Listener:
    """A desk goes on without its model; a recording ends, since it would hold no decisions."""

    def told(slot: Slot, status: TaskStatus, reason: str) -> None:
        tell(slot, status, reason)
        notes = [d.note for d in assembly.journal.all(Decision) if d.task_run == slot.id and d.outcome is Outcome.FAILED]
        lost = next((note for note in notes if note.partition(":")[0] in _NOBODY), None)
        if lost is not None:
            msg = (
                f"{slot.session} {slot.task}: nobody can be asked ({lost}). What was recorded is kept: the same command goes on from there"
            )
            raise ResearchError(msg)

    return told


def _strict(tell: Listener) -> Listener:
    """A desk goes on when a task fails; a replay does not, when its records have come to an end."""

    def told(slot: Slot, status: TaskStatus, reason: str) -> None:
        tell(slot, status, reason)
        code, _, text = reason.partition(": ")
        if status is TaskStatus.FAILED and code == ReplayMissError.code:
            raise ReplayMissError(f"{slot.session} {slot.task}: {text}")

    return told


def _notes(recorded: Recorded, made: tuple[Decision, ...]) -> list[str]:
    asked = [d for d in made if d.workflow != "monitor"]
    answered = sum(d.outcome is Outcome.ANSWERED for d in asked)
    blind = "" if recorded.mask is None else f", behind the mask of seed {recorded.mask}"
    who = ", ".join(recorded.models) or "no model"
    return [f"decisions of {who} from {recorded.count} recorded calls{blind}: {answered} of {len(asked)} questions were answered"]


def _forward(market: Market) -> Forward:
    """Returns by the session's opening and the close of the fifth, on prices adjusted by all splits and dividends that the data know."""
    known: dict[Symbol, Mapping[date, float]] = {}

    def forward(symbol: Symbol, session: date) -> float | None:
        if symbol not in known:
            known[symbol] = _changes(market, symbol)
        return known[symbol].get(session)

    return forward


def _changes(market: Market, symbol: Symbol) -> Mapping[date, float]:
    series = market.source.bars(symbol, market.source.timeframes(symbol)[-1])
    end = series.frame.index[-1].to_pydatetime() + _DAY
    frame = AsOfView(market.source, lambda: end).bars(symbol, Timeframe.DAY, _LOOKBACK)
    opens, closes = frame["open"].to_numpy(), frame["close"].to_numpy()[HORIZON - 1 :]
    return {day.date(): float(close / begin - 1) for day, begin, close in zip(frame.index, opens, closes, strict=False)}
