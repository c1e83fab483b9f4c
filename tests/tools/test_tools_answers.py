"""Each tool's whole answer on the written market: what a persona reads, number by number.

By hand: HELD was bought at 120 and stands at 132.11, so 100 of it earn 1,211 and are worth 13,211; with 88,000 in cash that is an
equity of 101,211. A stop at 110 risks 1,000 of what was paid. 5 % of the equity buy 37 RISE at 136.34, 15 % buy 111.
"""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from builders import CASH, NOW, position, proposal
from tools.scopes import HELD, RISE, material, scope, verdict
from tools.test_tools_registry import ASKED
from trading_bot.domain.books import Books
from trading_bot.domain.proposals import Proposal
from trading_bot.domain.values import Symbol
from trading_bot.tools.calling import answer, payload
from trading_bot.tools.registry import TOOLS, Toolset, tool_named

RECORDED = json.loads(Path(__file__).with_name("tool_answers.json").read_text())


FILED = {
    "at": "2024-03-05T14:30:00Z",
    "id": "bmleniqkxbv2p3wvl7uz",
    "decision_id": "interactive-zukv2uajqpw6",
    "action": "open",
    "symbol": "RISE",
    "side": "buy",
    "strategy": "interactive",
    "style": "now",
    "entry": "136.5",
    "stop_loss": "133",
    "trail": None,
    "noise": "1.31",
    "targets": [{"price": "140", "fraction": "0.33"}, {"price": "141", "fraction": "0.33"}, {"price": "142", "fraction": "0.34"}],
    "fraction": None,
    "exposure": "1",
    "confidence": 0.6,
    "horizon_days": 20,
    "thesis": "it rises",
    "evidence": [],
    "taint": [],
    "analyst": "interactive",
    "expires_at": "2024-03-05T15:00:00Z",
}


ELSEWHERE = frozenset({Toolset.BACKTEST, Toolset.NEWS, Toolset.LOCAL_MODELS})
"""Whose answers have files of their own."""


@pytest.mark.parametrize("name", [tool.name for tool in TOOLS if tool.toolset not in ELSEWHERE])
def test_each_tool_says_all_and_only_this(name: str) -> None:
    """As of the opening of 2024-03-05."""
    call = answer(tool_named(name), scope(propose=lambda wanted: f"{wanted.symbol} waits for the engine"), ASKED.get(name, {}))
    assert payload(call) == {"evidence": call.evidence, "as_of": "2024-03-05T14:30:00Z", **RECORDED["answers"][name]}


@pytest.mark.parametrize("more", RECORDED["more"], ids=lambda one: one["tool"])
def test_other_questions_get_other_answers(more: dict[str, Any]) -> None:
    """No trade is an answer, not an error; prices that were given are held to the rules; what is out is listed on demand."""
    call = answer(tool_named(more["tool"]), scope(), more["asked"])
    assert payload(call) == {"evidence": call.evidence, "as_of": "2024-03-05T14:30:00Z", **more["answer"]}


def test_a_proposal_is_filed_as_it_was_asked_for() -> None:
    """On the tick, with the noise of the market, for half an hour, under an id that the same words get again."""
    filed: list[Proposal] = []

    def keep(wanted: Proposal) -> str:
        filed.append(wanted)
        return "kept"

    asked = {**ASKED["propose_trade"], "targets": [140, 141, 142.004], "confidence": 0.6, "thesis": "it rises"}
    for _ in range(2):
        assert not answer(tool_named("propose_trade"), scope(propose=keep), asked).failed
    first, again = filed
    assert first == again
    assert first.model_dump(mode="json") == FILED


def test_pages_join_to_the_whole() -> None:
    """Historical bars, a hundred at a time."""
    rows: list[Any] = []
    offset: int | None = 0
    while offset is not None:
        page = payload(answer(tool_named("get_historical"), scope(), {"symbol": "RISE", "lookback": 250, "offset": offset}))
        rows += page["rows"]
        offset = page.get("next_offset")
    assert len(rows) == len({row[0] for row in rows}) == 250
    assert rows == sorted(rows)


def test_an_answer_without_a_desk_says_how_old_its_books_are() -> None:
    """And market data, which are not the books', do not."""
    old = scope(age=timedelta(hours=3))
    assert payload(answer(tool_named("get_positions"), old, {}))["journal_age_seconds"] == 10_800
    assert "journal_age_seconds" not in payload(answer(tool_named("get_quote"), old, {"symbol": "RISE"}))


def test_a_short_earns_when_the_price_falls_and_counts_against_equity() -> None:
    """100 HELD sold at 140 stand at 132.11: 789 earned; 102,000 in cash less 13,211 owed; half of that stays reserved."""
    short = position(HELD, "-100", "140")
    of = scope(material=replace(material(), books=Books(cash=Decimal(102_000), positions={HELD: short}, stops={HELD: Decimal(150)})))
    (told,) = payload(answer(tool_named("get_positions"), of, {}))["positions"]
    assert {name: told[name] for name in ("side", "quantity", "profit_usd", "profit_percent", "value_usd", "stop", "protected")} == {
        "side": "sell",
        "quantity": 100,
        "profit_usd": 789,
        "profit_percent": 5.64,
        "value_usd": -13_211,
        "stop": 150,
        "protected": False,
    }
    power = payload(answer(tool_named("get_buying_power"), of, {}))
    assert (power["equity_usd"], power["buying_power_usd"]) == (88_789, 82_183.5)


def test_a_position_without_a_market_is_told_at_what_was_paid() -> None:
    """And says so, with the time of the purchase."""
    gone = Symbol("GONE")
    of = scope(material=replace(material(), books=Books(cash=CASH, positions={gone: position(gone, "10", "50")})))
    (told,) = payload(answer(tool_named("get_positions"), of, {}))["positions"]
    assert told["mark"] == {"price": 50, "time": "2024-03-04T14:30:00Z", "source": "average price paid"}


def test_what_is_proposed_twice_in_one_moment_is_one_proposal_and_later_another() -> None:
    """However its numbers are spelled."""
    filed: list[Proposal] = []

    def keep(wanted: Proposal) -> str:
        filed.append(wanted)
        return "kept"

    asked = {**ASKED["propose_trade"], "confidence": 0.6, "thesis": "it rises"}
    for now, entry in ((NOW, 136.5), (NOW, "136.50"), (NOW + timedelta(seconds=1), 136.5)):
        assert not answer(tool_named("propose_trade"), scope(now=now, propose=keep), {**asked, "entry": entry}).failed
    first, again, later = filed
    assert first == again
    assert first.id != later.id


@pytest.mark.parametrize(
    ("symbol", "hours_ago", "judged", "came_of_it"),
    [
        (RISE, 1, None, "pending"),
        (RISE, 30, None, "expired"),
        (RISE, 30, "0", "not entered"),
        (RISE, 30, "40", "not entered"),
        (HELD, 30, "40", "open"),
        (HELD, 30, "0", "not entered"),
        (HELD, 300, "40", "not entered"),
    ],
)
def test_memory_says_what_became_of_a_proposal(symbol: Symbol, hours_ago: int, judged: str | None, came_of_it: str) -> None:
    """HELD was opened a day ago: by an order that the gate allowed about then, and by no other."""
    filed = proposal(at=NOW - timedelta(hours=hours_ago), symbol=symbol, expires_at=NOW - timedelta(hours=hours_ago - 2))
    said = [] if judged is None else [verdict(filed).model_copy(update={"quantity": Decimal(judged)})]
    of = scope(material=replace(material(), proposals=[filed], verdicts=said, trades=[]), decisions=())
    (told,) = payload(answer(tool_named("get_trade_history"), of, {}))["decisions"]
    assert told["came_of_it"] == came_of_it
