"""The risk tools: plans in numbers, exposure, what the gate would say, sizes, a period's figures; and the filing of a proposal.

Promises that every figure is the rules', the gate's or the mandate's own. Refuses to send anything: a proposal lies in the desk's inbox
until the engine judges it.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from trading_bot.backtest.facts import Facts, facts
from trading_bot.backtest.review import review
from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.instrument import SESSIONS_PER_YEAR, Instrument
from trading_bot.domain.mandate import Mandate
from trading_bot.domain.perpetual import is_leveraged, liquidation_price
from trading_bot.domain.proposals import Effect, Finding, Proposal
from trading_bot.domain.values import ZERO
from trading_bot.execution.protection import open_risk
from trading_bot.risk.sizing import CAPS, size
from trading_bot.tools import planning, queries
from trading_bot.tools import results_risk as results
from trading_bot.tools.looking import journal_age, mark_of, on_tick, past, percent, quote_of, worth, zone
from trading_bot.tools.scope import Scope

_PAGE = 25
_TIGHTEST = 3


def calculate_position_risk(scope: Scope, query: queries.Prices) -> results.PositionRiskTold:
    """The desk's plan, or given prices held to the same measures."""
    ground = planning.ground_of(scope, query)
    found = planning.levels(ground, query)
    fields: dict[str, Any] = {
        "as_of": scope.view.now(),
        "symbol": query.symbol,
        "in_universe": query.symbol in scope.universe,
        "side": query.side,
        "score": ground.score,
        "quote": mark_of(ground.quote, ground.instrument),
    }
    if found is None:
        return results.PositionRiskTold(**fields, trade=False, why=(ground.why_no_plan(),))
    return results.PositionRiskTold(
        **fields, **_measured(found, ground.snapshot.atr), liquidation_price=_liquidation(ground.instrument, found)
    )


def _liquidation(instrument: Instrument, found: planning.Levels) -> Decimal | None:
    """Where the venue would end the trade; None of what it does not end, or at no price."""
    return on_tick(instrument, liquidation_price(found.side, found.entry, instrument)) if is_leveraged(instrument) else None


def _measured(found: planning.Levels, atr: float | None) -> dict[str, Any]:
    """Levels with their distances: per share, in per cent, in ATR, in multiples of the risk."""
    rewards = [(t, (t.price - found.entry) * found.side.sign / found.risk) for t in found.targets]
    return {
        "trade": found.sound,
        "why": found.why,
        "style": found.style,
        "entry": found.entry,
        "stop_loss": found.stop,
        "targets": tuple(results.TargetTold(price=t.price, fraction=float(t.fraction), reward_multiple=float(r)) for t, r in rewards),
        "exposure": float(found.exposure),
        "noise": found.noise,
        "risk_per_share": found.risk,
        "risk_percent": percent(found.risk, found.entry),
        "risk_in_atr": float(found.risk) / atr if atr else None,
    }


def get_portfolio_exposure(scope: Scope, query: queries.Page) -> results.ExposureTold:
    """What is at stake by symbol and by sector, at the newest marks, the largest first."""
    found = worth(scope)
    values = {symbol: found.books.positions[symbol].market_value(mark.price) for symbol, mark in found.marks.items()}
    sectors: dict[str, Decimal] = {}
    for symbol, value in values.items():
        sector = scope.view.instrument(symbol).sector
        sectors[sector] = sectors.get(sector, ZERO) + abs(value)
    shares = _shares(values, found.equity)
    at_risk, after = open_risk(found.books), query.offset + _PAGE
    return results.ExposureTold(
        as_of=scope.view.now(),
        journal_age_seconds=journal_age(scope),
        equity_usd=found.equity,
        gross_usd=found.gross,
        gross_percent=percent(found.gross, found.equity),
        net_usd=found.net,
        open_risk_usd=at_risk,
        open_risk_percent=percent(at_risk, found.equity),
        entering_usd=sum(found.entering.values(), ZERO),
        symbols=shares[query.offset : after],
        sectors=_shares(sectors, found.equity),
        next_offset=after if after < len(shares) else None,
    )


def _shares(values: Mapping[Any, Any], equity: Decimal) -> tuple[results.ShareTold, ...]:
    ranked = sorted(values.items(), key=lambda item: (-abs(item[1]), item[0]))
    return tuple(results.ShareTold(name=name, value_usd=value, equity_percent=percent(value, equity)) for name, value in ranked)


def check_trade_rules(scope: Scope, query: queries.Trade) -> results.RulesTold:
    """The gate's verdict as it would be now; nothing is kept or sent."""
    verdict = scope.preview(planning.proposal(scope, query))
    quote = scope.view.quote(query.symbol)
    return results.RulesTold(
        as_of=scope.view.now(),
        journal_age_seconds=journal_age(scope),
        symbol=query.symbol,
        in_universe=query.symbol in scope.universe,
        outcome=verdict.outcome,
        findings=_told(verdict.findings),
        quantity=verdict.quantity,
        price=verdict.price,
        value_usd=verdict.quantity * verdict.price,
        risk_usd=verdict.risk,
        quote=None if quote is None else mark_of(quote, scope.view.instrument(query.symbol)),
    )


def _told(findings: tuple[Finding, ...]) -> tuple[results.FindingTold, ...]:
    return tuple(results.FindingTold(rule=f.rule, effect=f.effect, limit=f.limit, actual=f.actual) for f in findings)


def calculate_max_position_size(scope: Scope, query: queries.Size) -> results.SizeTold:
    """The gate's size now, and the size by the mandate's caps alone, for given prices or for the desk's plan."""
    ground = planning.ground_of(scope, query)
    found = planning.levels(ground, query)
    if found is None:
        msg = f"{ground.why_no_plan()}; pass entry and stop to size other prices"
        raise ToolFailedError(msg)
    wanted = planning.proposal(
        scope,
        queries.Trade(
            symbol=query.symbol, side=query.side, entry=found.entry, stop=found.stop, style=found.style.value, exposure=query.exposure
        ),
    )
    verdict = scope.preview(wanted)
    allowed, caps = (ZERO, ()) if scope.mandate is None else _caps(scope, scope.mandate, wanted)
    return results.SizeTold(
        as_of=scope.view.now(),
        journal_age_seconds=journal_age(scope),
        symbol=query.symbol,
        in_universe=query.symbol in scope.universe,
        entry=found.entry,
        stop=found.stop,
        quantity=verdict.quantity,
        quantity_when_allowed=allowed,
        caps=caps[:_TIGHTEST],
        forbidden_by=_told(tuple(f for f in verdict.findings if f.effect is Effect.REJECT)),
    )


def _caps(scope: Scope, mandate: Mandate, wanted: Proposal) -> tuple[Decimal, tuple[results.CapTold, ...]]:
    """The size by the caps alone, and what each allows in whole lots, the tightest first."""
    case = planning.case(scope, mandate, wanted, quote_of(scope, wanted.symbol))
    lots = case.instrument.round_quantity
    found = [(cap, lots(max(cap.quantity, ZERO))) for cap in (rule(case) for rule in CAPS) if cap.quantity is not None]
    ranked = sorted(found, key=lambda pair: (pair[1], pair[0].rule))
    return size(case).quantity, tuple(results.CapTold(rule=cap.rule, limit=cap.limit, quantity=most) for cap, most in ranked)


def get_risk_metrics(scope: Scope, query: queries.Period) -> results.MetricsTold:
    """A period's figures, the limits in force, and the grade by the rules."""
    now, here = scope.view.now(), zone(scope)
    last = now.astimezone(here).date()
    first = last - timedelta(days=query.period_days - 1)
    year = SESSIONS_PER_YEAR[scope.calendar.name]
    found, standing = facts(past(scope).material, first, last, here, periods_per_year=year), worth(scope)
    at_risk, judged = open_risk(standing.books), review(found)
    return results.MetricsTold(
        as_of=now,
        journal_age_seconds=journal_age(scope),
        first=first,
        last=last,
        **_figures(found),
        open_risk_usd=at_risk,
        open_risk_percent=percent(at_risk, standing.equity),
        unprotected=tuple(p.symbol for p in found.positions if not p.protected),
        autonomy=None if scope.mandate is None else scope.mandate.autonomy,
        limits=None if scope.mandate is None else _limits(scope.mandate),
        grade=judged.grade,
        observations=judged.observations,
        recommendations=judged.recommendations,
    )


def _figures(found: Facts) -> dict[str, Any]:
    figures, closed = found.performance, found.trades
    return {
        "sessions": figures.sessions,
        "start_equity_usd": found.start_equity,
        "end_equity_usd": found.end_equity,
        "profit_usd": figures.profit,
        "return_percent": _hundredfold(figures.total_return),
        "max_drawdown_percent": _hundredfold(figures.max_drawdown),
        "drawdown_percent": _hundredfold(found.drawdown),
        "volatility_percent": _hundredfold(figures.volatility),
        "sharpe": figures.sharpe,
        "sortino": figures.sortino,
        "trades": closed.trades,
        "wins": closed.wins,
        "losses": closed.losses,
        "win_percent": _hundredfold(closed.win_rate),
        "profit_factor": closed.profit_factor,
        "expectancy_usd": closed.expectancy,
        "largest_loss_usd": found.largest_loss,
        "fees_usd": figures.costs,
    }


def _hundredfold(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _limits(mandate: Mandate) -> dict[str, bool | int | float | str]:
    limits = mandate.limits.model_dump()
    return {name: float(limit) if isinstance(limit, Decimal) else limit for name, limit in limits.items()}


def propose_trade(scope: Scope, query: queries.Propose) -> results.ProposalTold:
    """File a proposal in the desk's inbox. ToolFailedError where nothing may be filed."""
    if scope.propose is None:
        msg = "proposals are not filed from here: answer with your judgement, the desk makes the proposal"
        raise ToolFailedError(msg)
    said = {"confidence": query.confidence, "thesis": query.thesis, "evidence": query.evidence, "horizon_days": query.horizon_days}
    filed = planning.proposal(scope, query, **said)
    return results.ProposalTold(
        as_of=scope.view.now(),
        journal_age_seconds=journal_age(scope),
        proposal=filed.id,
        expires_at=filed.expires_at,
        status=scope.propose(filed),
    )
