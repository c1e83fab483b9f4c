"""Claude and its one trade in a coin: what is opened, what is done about it, and every lie that is not believed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from analysts.asking import Output, called, claim
from analysts.coins import DOWN, NOW, OPENED, STILL, UP, brief, holding, price, running
from trading_bot.analysts.claude import ClaudeAnalyst
from trading_bot.analysts.trader import CONVICTION_EXPOSURE
from trading_bot.domain.books import Books
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import EntryStyle, Outcome, Proposal, ProposalKind, Target
from trading_bot.domain.research import TradeIdea
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import Symbol
from trading_bot.llm.calls import CallId, Ending, Question, Reply, Session
from trading_bot.ports import Answer, Brief

MARKET = brief()
LONG = holding(NOW)
SHORT = holding(NOW, DOWN, Side.SELL)


@dataclass
class Speaker:
    """An asker that says the next of its answers, the last one for ever, resting on these calls."""

    said: list[Output]
    calls: tuple[ToolCall, ...]
    asked: list[Question] = field(default_factory=list)

    def ask(self, question: Question) -> Reply:
        """Say it."""
        self.asked.append(question)
        return Reply(CallId("call"), Ending.ANSWERED, self.said[min(len(self.asked), len(self.said)) - 1], self.calls, "claude-test")


def near(symbol: Symbol, share: str) -> Decimal:
    """A price so far from the quote, on the tick."""
    return (price(MARKET, symbol) * (1 + Decimal(share))).quantize(Decimal("0.01"))


def opening(symbol: Symbol = UP, side: str = "buy", stop: str = "-0.04", target: str = "0.1") -> tuple[Output, ToolCall]:
    """To open at the quote, as a plan has it."""
    entry, where = price(MARKET, symbol), near(symbol, stop)
    plan = called("calculate_position_risk", {"symbol": symbol, "entry": float(entry), "stop_loss": float(where)})
    said: Output = {
        "action": "open",
        "symbol": symbol,
        "side": side,
        "entry": float(entry),
        "stop": float(where),
        "conviction": 0.65,
        "thesis": "it rises",
        "targets": [{"price": float(near(symbol, target)), "fraction": 1}],
        "claims": [claim(plan, "entry", float(entry)), claim(plan, "stop_loss", float(where))],
    }
    return said, plan


def opened(said: Output, *calls: ToolCall, asked: Brief = MARKET) -> tuple[Answer[TradeIdea], Speaker]:
    """What comes of an answer to `open`."""
    speaker = Speaker([said], calls)
    return ClaudeAnalyst(speaker).open_trade(asked), speaker


@pytest.mark.parametrize(("symbol", "side", "stop", "target"), [(UP, "buy", "-0.04", "0.1"), (DOWN, "sell", "0.04", "-0.1")])
def test_a_trade_that_makes_sense_becomes_a_plan_long_or_short(symbol: Symbol, side: str, stop: str, target: str) -> None:
    """At the market, sized by a table, in a conversation that has the decision's name; asked about what passes the desk's screen."""
    said, plan = opening(symbol, side, stop, target)
    answer, speaker = opened(said, plan)
    idea = answer.value
    assert idea is not None
    assert idea.plan is not None
    assert (idea.confidence, idea.thesis, answer.evidence) == (0.65, "it rises", (plan.evidence,))
    assert (idea.plan.symbol, idea.plan.side, idea.plan.style, idea.plan.exposure) == (symbol, Side(side), EntryStyle.NOW, Decimal("0.6"))
    assert (idea.plan.entry, idea.plan.stop_loss) == (price(MARKET, symbol), near(symbol, stop))
    assert idea.plan.targets == (Target(price=near(symbol, target), fraction=Decimal(1)),)
    assert idea.plan.noise > 0
    assert speaker.asked[0].session == Session(trade=OPENED)
    assert speaker.asked[0].arguments == f"{UP} buy, {DOWN} sell --timeframe 1h"


def test_conviction_sizes_between_a_fifth_and_all() -> None:
    """A table in code; the margin itself is the mandate's."""
    shares = [share for _, share in CONVICTION_EXPOSURE]
    assert (min(shares), max(shares), shares) == (Decimal("0.2"), Decimal(1), sorted(shares, reverse=True))


def test_standing_aside_is_an_answer_and_needs_a_look() -> None:
    """No trade, with what was seen."""
    seen = called("calculate_indicators", {"symbol": UP, "adx_14": 12})
    said: Output = {"action": "stand_aside", "thesis": "no trend", "claims": [claim(seen, "adx_14", 12)]}
    answer, _ = opened(said, seen)
    assert answer.value == TradeIdea(plan=None, confidence=0.0, thesis="no trend", strategy="coins")
    blind, _ = opened({**said, "claims": []}, seen)
    assert (blind.value, blind.note) == (None, "not believed: claim what it rests on from a result")


def test_where_no_coin_passes_nobody_is_asked() -> None:
    """A flat day costs nothing; what is held is no candidate."""
    said, plan = opening()
    answer, speaker = opened(said, plan, asked=brief(books=LONG, universe=(UP,)))
    assert (answer.outcome, speaker.asked) == (Outcome.ABSTAINED, [])


def priced(**changed: Any) -> Callable[[Output], tuple[Output, ToolCall]]:  # noqa: ANN401 - any JSON value
    """Other prices, and a tool that repeats them, so that only sense can tell."""

    def change(said: Output) -> tuple[Output, ToolCall]:
        told = {**said, **{name: float(value) if isinstance(value, Decimal) else value for name, value in changed.items()}}
        plan = called("calculate_position_risk", {"symbol": told["symbol"], "entry": told["entry"], "stop_loss": told["stop"]})
        return {**told, "claims": [claim(plan, "entry", told["entry"]), claim(plan, "stop_loss", told["stop"])]}, plan

    return change


WRONG_OPENINGS: dict[str, tuple[Callable[[Output], tuple[Output, ToolCall]], str]] = {
    "an unknown coin": (priced(symbol="MOONUSDT"), "MOONUSDT is not in the universe"),
    "a coin that does not pass": (priced(symbol=STILL), "STILLUSDT does not pass the desk's screen"),
    "a side that does not pass": (priced(side="sell"), "a sell of UPUSDT does not pass the desk's screen"),
    "a stop above a long": (priced(stop=near(UP, "0.04")), "has to lie at least"),
    "a stop inside the noise": (priced(stop=near(UP, "-0.0001")), "has to lie at least"),
    "a stop below a short": (priced(side="sell", targets=[{"price": float(near(UP, "-0.1")), "fraction": 1}]), "above the entry"),
    "a stop beyond liquidation": (priced(stop=near(UP, "-0.4")), "lies beyond liquidation at"),
    "far from the quote": (priced(entry=near(UP, "0.02")), "lies too far from the quote"),
    "off the tick": (priced(stop=near(UP, "-0.04") + Decimal("0.001")), "is not on the tick of 0.01"),
    "a target behind": (priced(targets=[{"price": float(near(UP, "-0.1")), "fraction": 1}]), "is not above the entry"),
    "half the fractions": (priced(targets=[{"price": float(near(UP, "0.1")), "fraction": 0.5}]), "add up to 0.5, not to 1"),
    "no side": (priced(side=None), "open needs side"),
    "no targets": (priced(targets=[]), "open needs targets"),
    "a word for an order": (priced(action="opened"), "action: Input should be 'open' or 'stand_aside'"),
    "a conviction of seven": (priced(conviction=7), "conviction"),
}


@pytest.mark.parametrize(("change", "note"), WRONG_OPENINGS.values(), ids=WRONG_OPENINGS)
def test_an_opening_that_makes_no_sense_is_not_believed(change: Callable[[Output], tuple[Output, ToolCall]], note: str) -> None:
    """It is told what is wrong once, and says the same again."""
    answer, speaker = opened(*change(opening()[0]))
    assert (answer.value, answer.outcome, len(speaker.asked)) == (None, Outcome.FAILED, 2)
    assert note in answer.note
    assert speaker.asked[1].session == speaker.asked[0].session


def test_prices_that_no_result_told_are_not_believed() -> None:
    """Nobody does arithmetic."""
    said, plan = opening()
    answer, _ = opened({**said, "claims": said["claims"][:1]}, plan)
    assert answer.note == f"not believed: claim the stop_loss {near(UP, '-0.04').normalize()} from a result"


# -- watching --------------------------------------------------------------------------------------------------------


def looked(books: Books, *seen: ToolCall, **said: Any) -> tuple[Answer[tuple[Proposal, ...]], Speaker]:  # noqa: ANN401 - any JSON value
    """What comes of a look at the trade in these books."""
    trade = running(books)
    assert trade.stop is not None
    held = called("get_position_details", {"position": {"symbol": trade.symbol, "stop": float(trade.stop)}})
    claims = [claim(held, "stop", float(trade.stop)), *(claim(call, "sma_20", said.get("stop")) for call in seen)]
    speaker = Speaker([{"symbol": trade.symbol, "reason": "because", "claims": claims, **said}], (held, *seen))
    asked = brief("look-1", NOW, books, woken_by="volatility `4.2` ATR, @limit 4")
    return ClaudeAnalyst(speaker).watch_trade(asked, trade), speaker


def level(symbol: Symbol, share: str) -> tuple[float, ToolCall]:
    """A level so far from the quote, and the result that tells it."""
    where = float(near(symbol, share))
    return where, called("calculate_indicators", {"symbol": symbol, "sma_20": where})


def test_a_look_goes_on_in_the_trades_conversation_and_says_what_woke_it() -> None:
    """A fresh one is briefed from the running trade; words read no file and run nothing."""
    answer, speaker = looked(LONG, action="hold")
    trade = running(LONG)
    assert (answer.value, answer.outcome) == ((), Outcome.ANSWERED)
    assert speaker.asked[0].session == Session(trade=OPENED, briefing=trade.canonical())
    assert speaker.asked[0].arguments.startswith(f"{UP} --timeframe ")
    assert speaker.asked[0].arguments.endswith("woken by: volatility 4.2 ATR, limit 4")


@pytest.mark.parametrize(("books", "symbol", "share"), [(LONG, UP, "-0.01"), (SHORT, DOWN, "0.01")])
def test_a_stop_moves_to_less_risk(books: Books, symbol: Symbol, share: str) -> None:
    """To a level that a result told, for a long and for a short."""
    where, seen = level(symbol, share)
    answer, _ = looked(books, seen, action="move_stop", stop=where)
    (proposal,) = answer.value or ()
    assert (proposal.action, proposal.symbol, proposal.side) == (ProposalKind.MOVE_STOP, symbol, running(books).side)
    assert (proposal.stop_loss, proposal.decision_id, proposal.strategy) == (near(symbol, share), "look-1", "coins")
    assert proposal.evidence == answer.evidence
    assert seen.evidence in proposal.evidence


def test_a_part_is_given_up_and_all_of_it() -> None:
    """At most one proposal a look."""
    (part,) = looked(LONG, action="reduce", fraction="0.5")[0].value or ()
    (whole,) = looked(LONG, action="close")[0].value or ()
    assert (part.action, part.fraction, whole.action, whole.fraction) == (ProposalKind.REDUCE, Decimal("0.5"), ProposalKind.CLOSE, None)


INVENTED = [{"evidence": "aaaaaaaa", "field": "stop", "value": 1}]


def wrong_looks() -> dict[str, tuple[Books, Output, str | None, str]]:
    """Books, what is said, how far off the stop is, what is wrong."""
    return {
        "it is closed": (LONG, {"action": "closed"}, None, "action: Input should be 'hold', 'move_stop', 'reduce' or 'close'"),
        "it opens": (LONG, {"action": "open"}, None, "action: Input should be"),
        "another coin": (LONG, {"action": "close", "symbol": DOWN}, None, "the question was about UPUSDT, not DOWNUSDT"),
        "a stop to more risk": (LONG, {"action": "move_stop"}, "-0.06", "is no less risk than"),
        "a short's stop to more risk": (SHORT, {"action": "move_stop"}, "0.06", "is no less risk than"),
        "a stop beyond the quote": (LONG, {"action": "move_stop"}, "0.01", "has to lie below the quote"),
        "a short's stop beyond the quote": (SHORT, {"action": "move_stop"}, "-0.01", "has to lie above the quote"),
        "no stop": (LONG, {"action": "move_stop"}, None, "move_stop needs stop"),
        "a stop that nobody told": (LONG, {"action": "move_stop", "stop": float(near(UP, "-0.01"))}, None, "from a result"),
        "no fraction": (LONG, {"action": "reduce"}, None, "reduce needs fraction"),
        "a fraction of all": (LONG, {"action": "reduce", "fraction": 1}, None, "to give up all of it is to close"),
        "a fraction of nothing": (LONG, {"action": "reduce", "fraction": 0}, None, "fraction"),
        "without a look": (LONG, {"action": "hold", "claims": []}, None, "claim the stop of UPUSDT from a result"),
        "invented evidence": (
            LONG,
            {"action": "hold", "claims": INVENTED},
            None,
            "evidence id",
        ),
    }


@pytest.mark.parametrize(("books", "said", "share", "note"), wrong_looks().values(), ids=wrong_looks())
def test_a_look_that_makes_no_sense_changes_nothing(books: Books, said: Output, share: str | None, note: str) -> None:
    """The stop rests where it rested."""
    seen = () if share is None else (level(running(books).symbol, share),)
    told = {**said, **({"stop": seen[0][0]} if seen else {})}
    answer, _ = looked(books, *(call for _, call in seen), **told)
    assert (answer.value, answer.outcome) == (None, Outcome.FAILED)
    assert note in answer.note


@pytest.mark.parametrize("books", [Books(cash=Decimal(10_000)), SHORT, holding(NOW, UP, Side.SELL)])
def test_a_trade_that_the_books_hold_no_more_is_not_asked_about(books: Books) -> None:
    """Whatever anybody says; the other side of it is another trade."""
    speaker = Speaker([], ())
    answer = ClaudeAnalyst(speaker).watch_trade(brief("look-1", NOW, books), running(LONG))
    assert (answer.value, answer.outcome, speaker.asked) == (None, Outcome.ABSTAINED, [])


def test_what_a_look_read_of_news_follows_into_its_proposal() -> None:
    """Numbers of strangers' texts are strangers' too."""
    news = called("get_sentiment", {"symbol": UP, "backed": -0.8})
    held = called("get_position_details", {"position": {"symbol": UP, "stop": 1.0}})
    said: Output = {"symbol": UP, "action": "close", "reason": "bad news", "claims": [claim(held, "stop", 1.0)]}
    answer = ClaudeAnalyst(Speaker([said], (held, news))).watch_trade(brief("look-1", NOW, LONG), running(LONG))
    assert answer.taint == (news.evidence,)
    assert [proposal.taint for proposal in answer.value or ()] == [(news.evidence,)]


def test_a_repair_may_rest_on_what_was_read_before_it() -> None:
    """It goes on in the same conversation, where the results still stand."""
    said, plan = opening()
    speaker = Speaker([{**said, "side": "up"}, said], (plan,))
    forgetful = replace(speaker)
    answer = ClaudeAnalyst(_OnlyFirst(forgetful)).open_trade(MARKET)
    assert answer.outcome is Outcome.ANSWERED


@dataclass
class _OnlyFirst:
    """Tools are asked in the first run alone."""

    inner: Speaker

    def ask(self, question: Question) -> Reply:
        """The second rests on the first."""
        told = self.inner.ask(question)
        return replace(told, calls=()) if question.complaint else told


def test_a_look_at_another_time_has_other_ids() -> None:
    """Derived from the decision, so that a look that is run again proposes the same."""
    ids = {
        proposal.id
        for name in ("look-1", "look-2", "look-1")
        for proposal in ClaudeAnalyst(_closing()).watch_trade(brief(name, NOW + timedelta(minutes=15), LONG), running(LONG)).value or ()
    }
    assert len(ids) == 2


def _closing() -> Speaker:
    held = called("get_position_details", {"position": {"symbol": UP, "stop": 1.0}})
    return Speaker([{"symbol": UP, "action": "close", "reason": "out", "claims": [claim(held, "stop", 1.0)]}], (held,))
