"""Claude's one trade on a desk that never closes: opened and watched in one conversation.

Promises that a coin is asked about only if it passes the desk's own screen, so that a flat day is cheap; that prices passed the checks of
`sense`; and that a look at a trade comes to one proposal at most. Refuses to take a model's word for the size (its conviction picks from a
table) and for whether the trade is over (the books say).
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from trading_bot.analysts import grounds, sense
from trading_bot.analysts.answers import clean
from trading_bot.analysts.chair import Chair, Step
from trading_bot.analysts.exits import Exit, proposed
from trading_bot.analysts.sense import Coin
from trading_bot.analysts.trade_answers import Opening, Trade, Watched, WatchingAction
from trading_bot.domain.proposals import EntryStyle, Proposal, ProposalKind, Target
from trading_bot.domain.research import EntryPlan, TradeIdea
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.values import ONE
from trading_bot.llm import prompts
from trading_bot.llm.calls import Session
from trading_bot.market.coins import TREND
from trading_bot.ports import Answer, Brief

CONVICTION_EXPOSURE = (
    (0.8, ONE),
    (0.7, Decimal("0.8")),
    (0.6, Decimal("0.6")),
    (0.5, Decimal("0.4")),
    (0.0, Decimal("0.2")),
)
"""Least conviction, share of the size that the mandate would allow."""
_STRATEGY = "coins"
_TIMEFRAME = f"--timeframe {TREND}"
_LONGEST_WAKING = 200


def open_trade(chair: Chair, brief: Brief) -> Answer[TradeIdea]:
    """Ask for the one trade to open now."""
    coins = grounds.own_coins(brief)
    if not coins:
        return chair.abstain("no coin passes the desk's own screen")
    arguments = f"{', '.join(f'{coin.instrument.symbol} {side}' for coin in coins for side in coin.sides)} {_TIMEFRAME}"
    known, session = grounds.of_opening(brief, coins), Session(trade=brief.decision_id)
    return chair.ask(brief, Step("open", arguments, Opening, known, sense.of_opening, partial(_idea, coins), session))


def _idea(coins: Sequence[Coin], said: Opening) -> TradeIdea:
    trade = said.trade
    if trade is None:
        return TradeIdea(plan=None, confidence=0.0, thesis=said.thesis, strategy=_STRATEGY)
    noise = next(coin.noise for coin in coins if coin.instrument.symbol == trade.symbol)
    return TradeIdea(plan=_plan(trade, noise), confidence=trade.conviction, thesis=said.thesis, strategy=_STRATEGY)


def _plan(trade: Trade, noise: Decimal) -> EntryPlan:
    return EntryPlan(
        symbol=trade.symbol,
        side=trade.side,
        style=EntryStyle.NOW,
        entry=trade.entry,
        stop_loss=trade.stop,
        targets=tuple(Target(price=leg.price, fraction=leg.fraction) for leg in trade.targets),
        noise=noise,
        exposure=next(share for least, share in CONVICTION_EXPOSURE if trade.conviction >= least),
        reason=f"Conviction {trade.conviction:.2f}.",
    )


def watch_trade(chair: Chair, brief: Brief, trade: RunningTrade) -> Answer[tuple[Proposal, ...]]:
    """Ask about a running trade."""
    position = brief.books.positions.get(trade.symbol)
    if position is None or position.side is not trade.side:
        return chair.abstain(f"the {trade.side} of {trade.symbol} is over")
    known, session = grounds.of_trade(brief, trade), Session(trade=trade.id, briefing=trade.canonical())
    step = Step("watch", _about(brief, trade), Watched, known, sense.of_watched, partial(_proposals, brief, trade, chair.name), session)
    answer = chair.ask(brief, step)
    if answer.value is None:
        return answer
    proven = {"evidence": answer.evidence, "taint": answer.taint}
    return replace(answer, value=tuple(proposal.model_copy(update=proven) for proposal in answer.value))


def _about(brief: Brief, trade: RunningTrade) -> str:
    """The coin, and what woke the desk in words that name no file and run nothing."""
    woken = clean(brief.woken_by, _LONGEST_WAKING).translate(prompts.EXPANDED)
    return f"{trade.symbol} {_TIMEFRAME}{f' woken by: {woken}' if woken else ''}"


def _proposals(brief: Brief, trade: RunningTrade, analyst: str, said: Watched) -> tuple[Proposal, ...]:
    """What is to be done about the trade: nothing to hold it."""
    if said.action is WatchingAction.HOLD:
        return ()
    action = ProposalKind(said.action)
    stop = said.stop if action is ProposalKind.MOVE_STOP else None
    fraction = said.fraction if action is ProposalKind.REDUCE else None
    return (proposed(brief, analyst, Exit(trade.symbol, trade.side, _STRATEGY, action, said.reason, stop, fraction)),)
