"""Claude in the analyst's chair: what each step asks of a model, and what is made of its answer.

Promises that every number in an answer was computed by the desk's own code, or passed its checks. Refuses to look after the open
positions of a desk of stocks: that stays with the rules. A trade in a coin is its own (`trader`).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from trading_bot.analysts import grounds, sense, trader
from trading_bot.analysts.answers import Graded, Judged, Picks, Plan, Ruling, Said, Trusted, clean
from trading_bot.analysts.chair import Chair, Step
from trading_bot.analysts.rules import RulesAnalyst
from trading_bot.analysts.trade_answers import Opening, Watched
from trading_bot.backtest.facts import Facts
from trading_bot.backtest.lineup import Lineup, assess
from trading_bot.domain.proposals import Proposal, Target, Verdict
from trading_bot.domain.research import Analysis, Backtested, Candidate, Elimination, EntryPlan, Opinion, Review, Screening, TradeIdea
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.values import Record, Symbol, canonical_json
from trading_bot.llm import prompts
from trading_bot.llm.calls import Asker
from trading_bot.news.signals import Signals
from trading_bot.ports import Answer, Brief

ANSWERS: Mapping[str, type[Said]] = {
    "screen": Picks,
    "analyze": Judged,
    "optimize": Plan,
    "review": Graded,
    "backtest": Trusted,
    "approve": Ruling,
    "open": Opening,
    "watch": Watched,
}
"""What is expected of each workflow."""

_WANTED = "5"
"""Candidates that a screen is asked for."""
_LONGEST_THESIS = 300


class ClaudeAnalyst:
    """An `Analyst` that asks a model."""

    def __init__(self, asker: Asker, name: str = "claude", signals: Signals | None = None) -> None:
        self.name = name
        self._chair = Chair(asker, name)
        self._rules = RulesAnalyst(signals)

    def screen(self, brief: Brief) -> Answer[Screening]:
        """Have the model choose and order among the symbols that pass the desk's own screen."""
        own = grounds.own_screening(brief)
        known = grounds.of_screen(brief, own)
        return self._chair.ask(brief, Step("screen", _WANTED, Picks, known, sense.of_picks, partial(_screening, own)))

    def analyze(self, brief: Brief, symbol: Symbol) -> Answer[Analysis]:
        """Have the model judge what the desk's own analysis found. Abstains unasked where that found nothing."""
        own = self._rules.analyze(brief, symbol)
        if own.value is None:
            return self._chair.abstain(own.note)
        known = grounds.of_analysis(brief, own.value)
        said = self._chair.ask(brief, Step("analyze", symbol, Judged, known, sense.of_judged, partial(_analysis, own.value)))
        return replace(said, taint=(*own.taint, *said.taint))

    def optimize(self, brief: Brief, analysis: Analysis) -> Answer[EntryPlan]:
        """Have the model choose prices, held to the noise and the quote of the desk's own plan. Abstains unasked where that has none."""
        own = self._rules.optimize(brief, analysis)
        if own.value is None:
            return self._chair.abstain(own.note)
        known = grounds.of_plan(brief, own.value)
        return self._chair.ask(brief, Step("optimize", analysis.symbol, Plan, known, sense.of_plan, partial(_plan, own.value)))

    def monitor(self, brief: Brief) -> Answer[tuple[Proposal, ...]]:
        """Leave it to the rules."""
        return self._rules.monitor(brief)

    def open_trade(self, brief: Brief) -> Answer[TradeIdea]:
        """Have the model open one of the coins that pass the desk's own screen, or stand aside. Abstains unasked where none passes."""
        return trader.open_trade(self._chair, brief)

    def watch_trade(self, brief: Brief, trade: RunningTrade) -> Answer[tuple[Proposal, ...]]:
        """Have the model look at its trade, in the conversation that opened it. Abstains unasked where the books hold it no more."""
        return trader.watch_trade(self._chair, brief, trade)

    def review(self, brief: Brief, facts: Record) -> Answer[Review]:
        """Have the model grade the days of `facts`."""
        if not isinstance(facts, Facts):
            return self._chair.abstain("these are no facts of a period")
        days = f"--period {(facts.last - facts.first).days + 1}"
        arguments = days if facts.first == facts.last else f"{days} --detailed"
        return self._chair.ask(brief, Step("review", arguments, Graded, grounds.of_period(brief), sense.of_graded, _review))

    def backtest(self, brief: Brief, lineup: Record) -> Answer[Backtested]:
        """Have the model judge what the desk's own runs found; the figures stay the desk's."""
        if not isinstance(lineup, Lineup):
            return self._chair.abstain("these are no backtests")
        names, symbols = (",".join(words) for words in ([e.strategy for e in lineup.entrants], lineup.symbols))
        arguments, known = f"{names} {symbols} --start {lineup.first} --end {lineup.last}", grounds.of_backtests(brief, lineup)
        return self._chair.ask(brief, Step("backtest", arguments, Trusted, known, sense.of_trusted, partial(_backtested, lineup)))


class ClaudeApprover:
    """An `Approver` that asks a model, in a call of its own."""

    def __init__(self, asker: Asker, name: str = "claude") -> None:
        self.name = name
        self._chair = Chair(asker, name)

    def consider(self, brief: Brief, proposal: Proposal, preview: Verdict) -> Answer[Opinion]:  # noqa: ARG002 - the model asks the gate itself
        """Have the model approve, veto, or say nothing."""
        known = grounds.of_symbol(brief, proposal.symbol)
        return self._chair.ask(brief, Step("approve", _proposed(proposal), Ruling, known, sense.of_ruling, _opinion))


def _screening(own: Screening, said: Picks) -> Screening:
    """The model's choice in its order, with the desk's own scores."""
    scored = {candidate.symbol: candidate for candidate in own.candidates}
    chosen = tuple(_with_reason(scored.pop(pick.symbol), pick.reason) for pick in said.candidates)
    passed_over = tuple(Elimination(symbol=symbol, reason="passes the screen, and was not chosen") for symbol in scored)
    return Screening(regime=own.regime, candidates=chosen, eliminated=own.eliminated + passed_over)


def _with_reason(candidate: Candidate, reason: str) -> Candidate:
    return candidate.model_copy(update={"reasons": (reason, *candidate.reasons)})


def _analysis(own: Analysis, said: Judged) -> Analysis:
    judged = {"recommendation": said.recommendation, "confidence": said.confidence, "thesis": said.thesis}
    return own.model_copy(update=judged)


def _plan(own: EntryPlan, said: Plan) -> EntryPlan:
    return EntryPlan(
        symbol=own.symbol,
        side=own.side,
        style=said.style,
        entry=said.entry,
        stop_loss=said.stop,
        targets=tuple(Target(price=leg.price, fraction=leg.fraction) for leg in said.targets),
        noise=own.noise,
        exposure=said.exposure,
        reason=said.reason,
    )


def _review(said: Graded) -> Review:
    return Review(grade=said.grade, summary=said.summary, observations=said.observations, recommendations=said.recommendations)


def _backtested(own: Lineup, said: Trusted) -> Backtested:
    words = {"verdict": said.verdict, "summary": said.summary, "observations": said.observations, "recommendations": said.recommendations}
    return assess(own).model_copy(update=words)


def _opinion(said: Ruling) -> Opinion:
    return Opinion(judgement=said.judgement, reason=said.reason)


def _proposed(proposal: Proposal) -> str:
    """A proposal as a second judge is told it, by the names under which `check_trade_rules` asks for its parts.

    Its thesis was written by a model: here it names no file and runs nothing.
    """
    told = proposal.model_dump(mode="json", include={"symbol", "side", "style", "entry", "exposure", "confidence"})
    prices = proposal.model_dump(mode="json", include={"stop_loss": True, "targets": {"__all__": {"price"}}})
    thesis = clean(proposal.thesis, _LONGEST_THESIS).translate(prompts.EXPANDED)
    return canonical_json({**told, "stop": prices["stop_loss"], "targets": [t["price"] for t in prices["targets"]], "thesis": thesis})
