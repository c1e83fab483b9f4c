"""The rules that can forbid new risk: a table of small pure functions from a case to a finding, or None.

Each names its limit and the actual value. A rule whose limit is `none` does not speak. A rule that cannot know its value speaks
against the proposal. Rules that only make a size smaller stand in `sizing.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from trading_bot.domain.instrument import AssetClass
from trading_bot.domain.mandate import Autonomy
from trading_bot.domain.orders import Side
from trading_bot.domain.perpetual import is_leveraged, liquidation_price
from trading_bot.domain.proposals import NOISE_SPREADS, Effect, Finding
from trading_bot.domain.records import DeskState
from trading_bot.domain.values import ZERO, amount_text
from trading_bot.risk.case import Case, Situation

Rule = Callable[[Case], Finding | None]


def reject(rule: str, limit: object, actual: object) -> Finding:
    """A finding that forbids."""
    return Finding(rule=rule, effect=Effect.REJECT, limit=str(limit), actual=str(actual))


def percent(share: Decimal) -> str:
    """A share as a person writes it."""
    return f"{share * 100:.2f} %"


def desk_running(situation: Situation) -> Finding | None:
    """New risk needs a running desk."""
    state = situation.desk_state
    return None if state is DeskState.RUNNING else reject("desk_state", DeskState.RUNNING, state)


def mandate_in_force(situation: Situation) -> Finding | None:
    """A mandate whose time is over allows no new risk."""
    expired = situation.mandate_expired
    return reject("mandate_expiry", situation.mandate.expires_at.isoformat(), "expired") if expired else None


def autonomy_allows(case: Case) -> Finding | None:
    """`observe` sends nothing; `confirm` waits for a person."""
    match case.situation.mandate.autonomy:
        case Autonomy.AUTO:
            return None
        case Autonomy.OBSERVE:
            return reject("autonomy", Autonomy.AUTO, Autonomy.OBSERVE)
        case Autonomy.CONFIRM:
            return (
                None
                if case.consent.person
                else Finding(rule="autonomy", effect=Effect.NEEDS_APPROVAL, limit="approval", actual="none given")
            )


def not_vetoed(case: Case) -> Finding | None:
    """A second judge may forbid what the gate would allow."""
    return None if case.consent.veto is None else reject("veto", "no veto by the second judge", case.consent.veto or "no reason given")


def in_universe(case: Case) -> Finding | None:
    """Only what the mandate names may be opened."""
    known = case.symbol in case.situation.mandate.universe
    return None if known else reject("universe", "symbols of the mandate", case.symbol)


def not_expired(case: Case) -> Finding | None:
    """A proposal has its time."""
    over = case.situation.now > case.proposal.expires_at
    return reject("proposal_expiry", case.proposal.expires_at.isoformat(), case.situation.now.isoformat()) if over else None


def market_open(case: Case) -> Finding | None:
    """New risk is taken while the market trades."""
    return reject("session", "an open session", "closed") if case.situation.session is None else None


def quote_fresh(case: Case) -> Finding | None:
    """No fresh quote, no order."""
    limit = case.limits.quote_age_seconds
    if case.quote is None:
        return reject("quote_age", f"{limit} s", "no quote")
    if limit == "none":
        return None
    age = case.situation.now - case.quote.time
    return reject("quote_age", f"{limit} s", f"{age.total_seconds():.0f} s") if age > timedelta(seconds=limit) else None


def spread_sane(case: Case) -> Finding | None:
    """The spread, as a share of the middle."""
    limit = case.limits.max_spread
    if limit == "none" or case.quote is None:
        return None
    share = case.quote.spread / case.quote.mid
    return reject("max_spread", percent(limit), percent(share)) if share > limit else None


def price_near_quote(case: Case) -> Finding | None:
    """The proposal's entry may not lie far from the market: an old or invented price."""
    limit = case.limits.price_collar
    if limit == "none" or case.quote is None or case.proposal.entry is None:
        return None
    distance = abs(case.proposal.entry - case.quote.mid) / case.quote.mid
    return reject("price_collar", percent(limit), percent(distance)) if distance > limit else None


def stop_on_right_side(case: Case) -> Finding | None:
    """A price beyond the stop would be stopped out at once; a stop within the noise of the proposal, or of three spreads, is none."""
    spread = case.quote.spread if case.quote is not None else case.instrument.tick_size
    least = max(NOISE_SPREADS * spread, case.proposal.noise, case.instrument.tick_size)
    distance = case.risk_per_share
    return reject("stop_side", f"at least {least} from the price", distance) if distance < least else None


def target_ahead(case: Case) -> Finding | None:
    """A price that has reached the first target already leaves nothing to earn."""
    sign = case.proposal.side.sign
    nearest = min((t.price for t in case.proposal.targets), key=lambda price: price * sign, default=None)
    reached = nearest is not None and (nearest - case.price) * sign <= 0
    return reject("target_ahead", nearest, case.price) if reached else None


def stop_before_liquidation(case: Case) -> Finding | None:
    """The stop of a perpetual comes before the venue's own end of the position, by the mandate's buffer, reckoned at the entry price.

    A mark price that stands nearer to liquidation than the quote brings it so much nearer to the stop.
    """
    stop, side = case.proposal.stop_loss, case.proposal.side
    end = liquidation_price(side, case.price, case.instrument) if is_leveraged(case.instrument) else None
    if stop is None or end is None:
        return None
    ahead = ZERO if case.mark is None or case.quote is None else max((case.quote.mid - case.mark) * side.sign, ZERO)
    buffer = ZERO if case.limits.liquidation_buffer == "none" else case.limits.liquidation_buffer
    room = (stop - end) * side.sign - ahead
    if room > 0 and room >= buffer * case.price:
        return None
    mark = f", the mark price {ahead} nearer to it" if ahead else ""
    return reject("liquidation", f"a stop {percent(buffer)} of the price before {amount_text(end)}{mark}", stop)


def short_selling_allowed(case: Case) -> Finding | None:
    """Shorts need the mandate's word and an instrument that can be borrowed."""
    if case.proposal.side is Side.BUY:
        return None
    allowed = case.limits.short_selling and case.instrument.shortable
    return None if allowed else reject("short_selling", "not allowed", "a short")


def not_held_yet(case: Case) -> Finding | None:
    """One position for each symbol: neither adding to it nor reversing it by an opening order."""
    return reject("one_position", "no position or working entry", f"{case.held:.2f} held") if case.held else None


def positions_left(situation: Situation) -> Finding | None:
    """Number of positions and symbols being entered."""
    limit = situation.limits.open_positions
    count = len(set(situation.books.positions) | set(situation.pending))
    return reject("open_positions", limit, count) if limit != "none" and count >= limit else None


def trades_left_today(situation: Situation) -> Finding | None:
    """New positions of this session."""
    limit = situation.limits.trades_per_day
    count = situation.entries_today
    return reject("trades_per_day", limit, count) if limit != "none" and count >= limit else None


def order_rate(case: Case) -> Finding | None:
    """Orders of the last minute and those of this entry, one for each target."""
    limit = case.limits.orders_per_minute
    count = case.situation.orders_last_minute + max(len(case.proposal.targets), 1)
    return reject("orders_per_minute", limit, count) if limit != "none" and count > limit else None


def daily_loss(situation: Situation) -> Finding | None:
    """Loss since the last session's close, open positions included."""
    limit = situation.limits.daily_loss
    start = situation.equity_last_close
    if limit == "none":
        return None
    loss = 1 - situation.equity / start if start > 0 else Decimal(1)
    return reject("daily_loss", percent(limit), percent(loss)) if loss >= limit else None


def drawdown(situation: Situation) -> Finding | None:
    """Loss from the highest equity."""
    limit = situation.limits.drawdown
    high = situation.equity_high
    if limit == "none":
        return None
    loss = 1 - situation.equity / high if high > 0 else Decimal(1)
    return reject("drawdown", percent(limit), percent(loss)) if loss >= limit else None


def cooled_down(situation: Situation) -> Finding | None:
    """After some losses in a row the desk rests."""
    limit = situation.discipline.cooldown_losses
    streak = situation.losing_streak
    if limit == "none" or streak < limit:
        return None
    until = situation.history[-1].closed_at + timedelta(minutes=situation.discipline.cooldown_minutes)
    return reject("cooldown", f"none before {until.isoformat()}", f"{streak} losses") if situation.now < until else None


def no_revenge(case: Case) -> Finding | None:
    """No quick return to a symbol after a loss in it."""
    minutes = case.discipline.reentry_minutes
    if minutes == "none":
        return None
    losses = [t for t in case.situation.history if t.symbol == case.symbol and t.profit < 0]
    if not losses:
        return None
    until = losses[-1].closed_at + timedelta(minutes=minutes)
    return reject("reentry", f"none before {until.isoformat()}", "a loss in it") if case.situation.now < until else None


def strategy_active(case: Case) -> Finding | None:
    """A suspended strategy opens nothing until its time is over or a person resumes it."""
    stopped = case.proposal.strategy in case.situation.suspended
    return reject("strategy_suspended", "active", case.proposal.strategy) if stopped else None


@dataclass(frozen=True)
class DayTradeRegime:
    """A rule on day trades that was in force from `first` to `last`, both included."""

    first: date
    last: date
    minimum_equity: Decimal
    day_trades: int


# FINRA Rule 4210(f)(8)(B), ended by Regulatory Notice 26-10 on 2026-06-04. What follows it is the broker's own intraday margin, which
# reaches the desk as buying power; the mandate's trades_per_day holds in every regime.
DAY_TRADE_SESSIONS = 5
DAY_TRADE_REGIMES = (DayTradeRegime(date(2001, 9, 28), date(2026, 6, 3), Decimal(25_000), 3),)


def day_trades(case: Case) -> Finding | None:
    """The pattern-day-trader rule, while it was in force: an entry that could become one day trade too many."""
    if case.instrument.asset_class is not AssetClass.EQUITY:
        return None
    today = case.situation.now.date()
    for regime in DAY_TRADE_REGIMES:
        applies = regime.first <= today <= regime.last and case.situation.equity < regime.minimum_equity
        if applies and case.situation.day_trades >= regime.day_trades:
            limit = f"{regime.day_trades} day trades in {DAY_TRADE_SESSIONS} sessions"
            return reject("pattern_day_trader", limit, case.situation.day_trades)
    return None


DESK_RULES: tuple[Callable[[Situation], Finding | None], ...] = (
    desk_running,
    mandate_in_force,
    positions_left,
    trades_left_today,
    daily_loss,
    drawdown,
    cooled_down,
)
"""Those that forbid whatever might be proposed."""


def _of_desk(rule: Callable[[Situation], Finding | None]) -> Rule:
    return lambda case: rule(case.situation)


RULES: tuple[Rule, ...] = (
    _of_desk(desk_running),
    _of_desk(mandate_in_force),
    autonomy_allows,
    not_vetoed,
    in_universe,
    not_expired,
    market_open,
    quote_fresh,
    spread_sane,
    price_near_quote,
    stop_on_right_side,
    target_ahead,
    stop_before_liquidation,
    short_selling_allowed,
    not_held_yet,
    _of_desk(positions_left),
    _of_desk(trades_left_today),
    order_rate,
    _of_desk(daily_loss),
    _of_desk(drawdown),
    _of_desk(cooled_down),
    no_revenge,
    strategy_active,
    day_trades,
)
