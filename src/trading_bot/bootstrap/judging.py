"""A changed prompt judged on recorded days: the same questions, tool results and checks, asked anew.

Promises that nothing of the desk changes: answers go to a shelf of their own, are never journaled, and cost what the ledger says.
Refuses to look at the market for the model: its tools answer from the record.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from importlib.resources.abc import Traversable
from pathlib import Path

from trading_bot.analysts.claude import ClaudeAnalyst
from trading_bot.bootstrap.claude import build_manager
from trading_bot.bootstrap.replaying import answered, brief_of
from trading_bot.bootstrap.tools import IdleDesk, open_desk
from trading_bot.config import Config
from trading_bot.domain.proposals import Decision
from trading_bot.domain.values import DecisionId, NonNegative, Record
from trading_bot.execution.clock import SystemWallClock
from trading_bot.llm import prompts
from trading_bot.llm.cassette import Cassette, Shelf
from trading_bot.storage.home import Home
from trading_bot.storage.spending import SpendingLedger
from trading_bot.tools.host import HttpToolHost
from trading_bot.tools.recorded import from_records

_PREFIX = "judge-"


class Judged(Record):
    """One recorded decision, and what the changed prompt made of the same tool results."""

    decision: Decision
    outcome: str
    """Of the new answer."""
    note: str
    output: str
    """Canonical JSON of the new answer, empty if there is none."""
    cost_usd: NonNegative

    @property
    def same(self) -> bool:
        """Whether both say the same, to the byte."""
        return self.output == self.decision.output


def judge_prompt(home: Home, operator: Path, config: Config, wanted: Sequence[Decision], folder: Path | None) -> Iterator[Judged]:
    """Yield each decision as it is judged. `folder`: laid out like `.claude`, None for the installed prompts. ConfigError if it is not."""
    texts = prompts.FOLDER if folder is None else folder
    with open_desk(home, operator) as desk, SpendingLedger.open(home.database) as ledger:
        for decision in wanted:
            for cassette in Shelf(home.cassettes).of(decision.id)[:1]:
                yield _judge(desk, config, texts, ledger, decision, cassette)


def _judge(  # noqa: PLR0913, PLR0917 - what a judging works with
    desk: IdleDesk, config: Config, texts: Traversable, ledger: SpendingLedger, decision: Decision, cassette: Cassette
) -> Judged:
    host = HttpToolHost(desk.bench.scope, answering=from_records(cassette.calls))
    manager = build_manager(config, desk.home, host, ledger, SystemWallClock(), Shelf(desk.home.judged), texts=texts)
    brief = replace(brief_of(desk, decision), decision_id=DecisionId(f"{_PREFIX}{decision.id}"))
    before = _spent(ledger, brief.decision_id)
    try:
        answer = answered(ClaudeAnalyst(manager, signals=desk.signals), desk, brief, decision)
    finally:
        host.close()
    cost = _spent(ledger, brief.decision_id) - before
    return Judged(decision=decision, outcome=answer.outcome, note=answer.note, output=answer.output, cost_usd=cost)


def _spent(ledger: SpendingLedger, decision: DecisionId) -> Decimal:
    with ledger.reading() as page:
        return page.cost_of(decision)
