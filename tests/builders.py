"""Builders of records for tests: a sound default of everything, changed by keyword."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading_bot import config
from trading_bot.domain.books import Account, Books, Position
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.mandate import Mandate, Mode
from trading_bot.domain.market import Feed, Quote
from trading_bot.domain.orders import OrderRole, Side
from trading_bot.domain.proposals import Proposal, ProposalKind, Target
from trading_bot.domain.records import DeskState
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ClientOrderId, DecisionId, ProposalId, Symbol
from trading_bot.risk.case import Case, Situation

NOW = datetime(2024, 3, 5, 14, 30, tzinfo=UTC)
AAPL, SPY = Symbol("AAPL"), Symbol("SPY")
CASH = Decimal(100_000)


def mandate(**limits: Any) -> Mandate:  # noqa: ANN401 - values of limits
    """The default mandate with these limits or brakes changed."""
    settings = config.load()
    brakes = {k: v for k, v in limits.items() if k in type(settings.risk.discipline).model_fields}
    bounds = {k: v for k, v in limits.items() if k in type(settings.risk.limits).model_fields}
    rest = {k: v for k, v in limits.items() if k not in brakes and k not in bounds}
    fields = {
        "account": "paper-1",
        "mode": Mode.PAPER,
        "universe": (AAPL, SPY),
        "autonomy": settings.risk.autonomy,
        "limits": settings.risk.limits.model_validate({**settings.risk.limits.model_dump(), **bounds}),
        "discipline": settings.risk.discipline.model_validate({**settings.risk.discipline.model_dump(), **brakes}),
        "guardian": settings.risk.guardian,
        "config_digest": settings.risk_digest(),
        "issued_at": NOW - timedelta(days=1),
        "expires_at": NOW + timedelta(days=29),
    }
    return Mandate.model_validate({**fields, **rest})


def instrument(symbol: Symbol = AAPL, **changed: Any) -> Instrument:  # noqa: ANN401 - fields
    """A US stock."""
    return Instrument.model_validate({"symbol": symbol, "sector": "technology", **changed})


def quote(symbol: Symbol = AAPL, bid: str = "99.99", ask: str = "100.01", at: datetime = NOW) -> Quote:
    """A fresh consolidated quote around 100."""
    sizes = {"bid_size": Decimal(500), "ask_size": Decimal(500)}
    return Quote(symbol=symbol, bid=Decimal(bid), ask=Decimal(ask), time=at, source="bar-open", feed=Feed.CONSOLIDATED, **sizes)


def proposal(**changed: Any) -> Proposal:  # noqa: ANN401 - fields
    """To buy AAPL at about 100 with a stop at 97 and targets at 104.50 and 107.50."""
    fields = {
        "at": NOW - timedelta(hours=2),
        "id": ProposalId("proposal-1"),
        "decision_id": DecisionId("decision-1"),
        "action": ProposalKind.OPEN,
        "symbol": AAPL,
        "side": Side.BUY,
        "strategy": "momentum",
        "entry": Decimal(100),
        "stop_loss": Decimal(97),
        "targets": (Target(price=Decimal("104.5"), fraction=Decimal("0.5")), Target(price=Decimal("107.5"), fraction=Decimal("0.5"))),
        "exposure": Decimal(1),
        "confidence": 0.7,
        "horizon_days": 20,
        "thesis": "a test",
        "analyst": "rules",
        "expires_at": NOW + timedelta(minutes=30),
    }
    return Proposal.model_validate({**fields, **changed})


def situation(**changed: Any) -> Situation:  # noqa: ANN401 - fields
    """An empty desk with 100,000 in an open session."""
    plain = Situation(
        now=NOW,
        session=date(2024, 3, 5),
        mandate=mandate(),
        mandate_expired=False,
        desk_state=DeskState.RUNNING,
        books=Books(cash=CASH),
        account=Account(account_id="paper-1", cash=CASH, equity=CASH, buying_power=CASH),
        marks={},
        sectors={AAPL: "technology", SPY: "broad market"},
        open_risk=Decimal(0),
        pending={},
        history=(),
        day_trades=0,
        entries_today=0,
        orders_last_minute=0,
        equity_high=CASH,
        equity_last_close=CASH,
    )
    return replace(plain, **changed)


def case(*, wanted: Proposal | None = None, at_quote: Quote | None = None, of: Instrument | None = None, **changed: Any) -> Case:  # noqa: ANN401 - fields
    """A case that every rule lets pass, until something is changed."""
    return Case(wanted or proposal(), situation(**changed), of or instrument(), at_quote or quote())


def position(symbol: Symbol = AAPL, quantity: str = "100", price: str = "100") -> Position:
    """A position opened yesterday."""
    return Position(symbol=symbol, quantity=Decimal(quantity), average_price=Decimal(price), opened_at=NOW - timedelta(days=1))


def trade(profit: str, *, symbol: Symbol = AAPL, closed: datetime = NOW - timedelta(minutes=5)) -> RoundTrip:
    """A closed trade with this profit."""
    return RoundTrip(
        symbol=symbol,
        side=Side.BUY,
        quantity=Decimal(10),
        entry_price=Decimal(100),
        exit_price=Decimal(100) + Decimal(profit) / 10,
        opened_at=closed - timedelta(days=2),
        closed_at=closed,
        profit=Decimal(profit),
        fees=Decimal(0),
        entry_order=ClientOrderId("desk01-entry"),
        exit_role=OrderRole.STOP_LOSS,
    )
