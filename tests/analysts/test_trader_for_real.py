"""The real binary in the trader's chair, against the emulated API and the real tools: one conversation a trade, and every lie refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from analysts.coins import DOWN, NOW, OPENED, UP, CoinSource, brief, holding, running, scope_of
from llm.manager_kit import Bench, bench, charged, conversations
from trading_bot.analysts.claude import ClaudeAnalyst
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import Outcome, Proposal, ProposalKind
from trading_bot.domain.research import TradeIdea
from trading_bot.domain.values import Symbol
from trading_bot.ports import Answer
from trading_bot.sandbox.claude_api import ClaudeApi, Rule
from trading_bot.tools.host import HttpToolHost

QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Trader:
    """Claude on a desk of written coins."""

    bench: Bench
    api: ClaudeApi
    source: CoinSource

    def open(self, *coins: Symbol) -> Answer[TradeIdea]:
        """Look for a trade in these coins."""
        return ClaudeAnalyst(self.bench.manager).open_trade(brief(source=self.source, universe=coins))

    def watch(self, name: str, at: datetime, stop: str | None = None, side: Side = Side.BUY) -> Answer[tuple[Proposal, ...]]:
        """Look at the trade; `stop`: where it rests."""
        books = holding(at, UP, side, stop, self.source)
        return ClaudeAnalyst(self.bench.manager).watch_trade(brief(name, at, books, source=self.source), running(books))


@contextmanager
def trader(folder: Path, *faults: Rule, turn: datetime | None = None) -> Iterator[Trader]:
    """Return it; `turn`: when every trend turns round."""
    host = HttpToolHost(scope_of)
    try:
        with ClaudeApi(faults=faults) as api, bench(folder, api.url, host=host) as made:
            yield Trader(made, api, CoinSource(turn))
    finally:
        host.close()


def actions(*answers: Answer[tuple[Proposal, ...]]) -> list[list[ProposalKind]]:
    """What each look proposes."""
    return [[proposal.action for proposal in answer.value or ()] for answer in answers]


def test_who_opens_a_trade_watches_it_in_one_conversation_and_every_answer_is_believed(tmp_path: Path) -> None:
    """It holds, follows with the stop what has run, and closes what has turned. Every cent of it is the trade's."""
    with trader(tmp_path, turn=NOW + timedelta(hours=7)) as desk:
        idea = desk.open(UP)
        assert (idea.outcome, idea.note) == (Outcome.ANSWERED, "")
        assert idea.value is not None
        assert idea.value.plan is not None
        assert (idea.value.plan.symbol, idea.value.plan.side) == (UP, Side.BUY)
        held = desk.watch("look-1", NOW + QUARTER, str(idea.value.plan.stop_loss))
        moved = desk.watch("look-2", NOW + timedelta(hours=6))
        closed = desk.watch("look-3", NOW + timedelta(hours=40))
        assert [(a.outcome, a.note) for a in (held, moved, closed)] == [(Outcome.ANSWERED, "")] * 3
        assert actions(held, moved, closed) == [[], [ProposalKind.MOVE_STOP], [ProposalKind.CLOSE]]
        assert conversations(desk.api) == 1
        assert sum((desk.bench.settled(name) for name in (OPENED, "look-1", "look-2", "look-3")), Decimal(0)) == charged(desk.api)
        with desk.bench.ledger.reading() as page:
            assert sum(call.counted for call in page.of_trade(OPENED)) == charged(desk.api)


def test_a_coin_that_falls_is_sold_short(tmp_path: Path) -> None:
    """By the same tools, seen from the other side."""
    with trader(tmp_path) as desk:
        idea = desk.open(DOWN).value
    assert idea is not None
    assert idea.plan is not None
    assert (idea.plan.symbol, idea.plan.side, idea.plan.stop_loss > idea.plan.entry) == (DOWN, Side.SELL, True)


LIES = [
    ("open-trade", "stop_wrong_side", "has to lie at least"),
    ("open-trade", "invented_evidence", "no tool result of this run has this evidence id"),
    ("watch-trade", "says_closed", "unparseable: error_max_structured_output_retries"),
    ("watch-trade", "stop_to_more_risk", "is no less risk than"),
]


@pytest.mark.parametrize(("command", "fault", "note"), LIES)
def test_a_lie_about_a_trade_is_a_failure_that_says_why(command: str, fault: str, note: str, tmp_path: Path) -> None:
    """What the form takes, the desk does not; a repair is no better."""
    with trader(tmp_path, Rule(fault=fault, persona="trader", command=command)) as desk:
        answer = desk.open(UP) if command == "open-trade" else desk.watch("look-1", NOW + QUARTER)
    assert (answer.value, answer.outcome) == (None, Outcome.FAILED)
    assert note in answer.note
