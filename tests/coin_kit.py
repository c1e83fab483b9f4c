"""A desk of coins on a market that the test writes down: real source, gate, engine, journal and paper venue; a scripted analyst."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Never

import numpy as np
import pandas as pd

from trading_bot import config
from trading_bot.bootstrap import desk as bootstrap
from trading_bot.bootstrap.setting import Setting
from trading_bot.domain.mandate import Mode
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import EntryStyle, Outcome, Proposal, ProposalKind, Target
from trading_bot.domain.records import TaskRun
from trading_bot.domain.research import EntryPlan, TradeIdea
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.values import ProposalId, Record, Symbol, derive_id
from trading_bot.orchestrator.lookout import Lookout
from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator
from trading_bot.ports import Answer, Brief
from trading_bot.storage.home import Home

BTC = Symbol("BTCUSDT")
FIRST = date(2025, 10, 6)
"""A Monday: the first day that is traded; the day before it is history."""
START = datetime(2025, 10, 6, tzinfo=UTC)
FIVE = timedelta(minutes=5)

Change = Callable[[datetime], float]


def calm(_moment: datetime) -> float:
    """No change."""
    return 0.0


def market(folder: Path, change: Change = calm, days: int = 2, symbol: Symbol = BTC) -> Path:
    """Write five-minute bars from the day before `START` on. `change`: relative change of the close within the bar that starts then."""
    index = pd.date_range(START - timedelta(days=1), START + timedelta(days=days), freq="5min", inclusive="left")
    noise = np.random.default_rng(7).normal(0, 0.0004, len(index))
    steps = np.array([change(moment.to_pydatetime()) for moment in index]) + np.where(np.arange(len(index)) < 288, noise, noise / 4)
    path = np.exp(np.cumsum(steps))
    close = np.round(100_000 * path / path[287], 1)  # 100,000 at `START`
    opening = np.concatenate([close[:1], close[:-1]])
    frame = pd.DataFrame({"ts": index, "open": opening, "close": close})
    frame["high"], frame["low"] = frame[["open", "close"]].max(axis=1) + 1, frame[["open", "close"]].min(axis=1) - 1
    frame["volume"] = 500.0
    file = folder / f"{symbol}_5m.csv"
    frame.to_csv(file, index=False)
    return file


def answered(value: Any) -> Answer[Any]:  # noqa: ANN401 - any answer
    """An answer of the scripted analyst."""
    return Answer(value, Outcome.ANSWERED, "script")


def unanswered(note: str = "crashed: it ended by signal 9", outcome: Outcome = Outcome.FAILED) -> Answer[Never]:
    """No answer."""
    return Answer(None, outcome, "script", note=note)


def nothing(_brief: Brief) -> Answer[TradeIdea]:
    """Nothing is worth a trade."""
    return answered(TradeIdea(plan=None, confidence=0.0, thesis="nothing"))


def hold(_brief: Brief, _trade: RunningTrade) -> Answer[tuple[Proposal, ...]]:
    """Leave the trade alone."""
    return answered(())


def opening(
    side: Side = Side.BUY, *, stop: str = "0.01", targets: Sequence[str] = ("0.03",), symbol: Symbol = BTC
) -> Callable[[Brief], Answer[TradeIdea]]:
    """Open at the quote; stop and targets are shares of the price away."""

    def ask(brief: Brief) -> Answer[TradeIdea]:
        quote, instrument = brief.view.quote(symbol), brief.view.instrument(symbol)
        assert quote is not None
        entry = quote.ask if side is Side.BUY else quote.bid

        def away(share: str, sign: int) -> Decimal:
            return instrument.round_price(entry * (1 + sign * side.sign * Decimal(share)))

        plan = EntryPlan(
            symbol=symbol,
            side=side,
            style=EntryStyle.NOW,
            entry=entry,
            stop_loss=away(stop, -1),
            targets=tuple(Target(price=away(t, 1), fraction=Decimal(1) / len(targets)) for t in targets),
            noise=Decimal(0),
            exposure=Decimal(1),
            reason="by the script",
        )
        return answered(TradeIdea(plan=plan, confidence=0.6, thesis="a script's idea"))

    return ask


def proposing(action: ProposalKind, **fields: Any) -> Callable[[Brief, RunningTrade], Answer[tuple[Proposal, ...]]]:  # noqa: ANN401 - a proposal's own
    """Propose something about the running trade."""

    def ask(brief: Brief, trade: RunningTrade) -> Answer[tuple[Proposal, ...]]:
        proposal = Proposal(
            at=brief.view.now(),
            id=ProposalId(derive_id("proposal", brief.decision_id, trade.symbol, action)),
            decision_id=brief.decision_id,
            action=action,
            symbol=fields.get("symbol", trade.symbol),
            side=trade.side,
            strategy="coins",
            exposure=Decimal(1),
            confidence=1.0,
            horizon_days=1,
            thesis="by the script",
            analyst="script",
            expires_at=brief.view.now() + timedelta(minutes=5),
            **{name: value for name, value in fields.items() if name != "symbol"},
        )
        return answered((proposal,))

    return ask


@dataclass
class Script:
    """An `Analyst` that says what the test wrote down, by the time of the look (`HH:MM`, or `wake` for one that was woken)."""

    name: str = "script"
    opens: dict[str, Callable[[Brief], Answer[TradeIdea]]] = field(default_factory=dict)
    watches: dict[str, Callable[[Brief, RunningTrade], Answer[tuple[Proposal, ...]]]] = field(default_factory=dict)
    heard: list[tuple[str, str]] = field(default_factory=list)
    """When it was asked, and about what."""
    trades: list[RunningTrade] = field(default_factory=list)

    def open_trade(self, brief: Brief) -> Answer[TradeIdea]:
        """By the time of the day."""
        when = f"{brief.view.now():%H:%M}"
        self.heard.append((when, "open"))
        return self.opens.get(when, self.opens.get("always", nothing))(brief)

    def watch_trade(self, brief: Brief, trade: RunningTrade) -> Answer[tuple[Proposal, ...]]:
        """By the time of the day, or why it was woken."""
        when = f"{brief.view.now():%H:%M}"
        self.heard.append((when, brief.woken_by or "watch"))
        self.trades.append(trade)
        return self.watches.get("wake" if brief.woken_by else when, hold)(brief, trade)

    def review(self, brief: Brief, facts: Record) -> Answer[Any]:  # noqa: ARG002 - the port's signature
        """Nothing to say."""
        return unanswered("no opinion", Outcome.ABSTAINED)


def assembled(home: Path, data: Path, script: Script, flags: dict[str, Any] | None = None) -> bootstrap.Assembly:
    """The next process on the simulated desk of `home`, the script in its chair."""
    settings = {
        "desk": "coins",
        "analyst": "rules",
        "universe.symbols": [BTC],
        "source.name": "files",
        "source.files": [{"path": str(data)}],
        **(flags or {}),
    }
    setting = Setting(Mode.PAPER, simulated=True, home=Home(home), operator=home / "nobody", first=FIRST)
    assembly = bootstrap.build(config.load(flags=settings), setting)
    bootstrap.announce(assembly, "test")
    desk = replace(assembly.desk, analyst=script)  # type: ignore[arg-type]  # of a trader's questions alone
    lookout = Lookout(desk, assembly.scheduler, assembly.source.timeframes(BTC)[0])
    return replace(assembly, desk=desk, lookout=lookout)


def run(assembly: bootstrap.Assembly, until: str) -> list[tuple[str, str, str]]:
    """Run to the looks due at `until` (`MM-DD HH:MM` of 2025), and return task, status and reason of each that has ended."""
    moment = datetime.strptime(f"2025-{until} +0000", "%Y-%m-%d %H:%M %z")
    TradingOrchestrator(assembly.desk, assembly.scheduler, assembly.stop, until=moment, lookout=assembly.lookout).run()
    return [(r.task, str(r.status), r.reason) for r in assembly.journal.all(TaskRun) if r.status.is_end]
