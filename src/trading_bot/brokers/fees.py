"""What a venue charges for a fill: a table of schedule, asset class, kind, rate and the day from which it holds.

Promises that a fill is charged by the rates of its own day, rounded up. Before the first day of a kind its first rate holds.
Sources are in docs/venue.md. Refuses an unknown schedule with KeyError.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from trading_bot.brokers.units import QUANTUM, quanta
from trading_bot.domain.instrument import AssetClass
from trading_bot.domain.orders import Side

CENT = Decimal("0.01")
"""What fees of US equities are rounded up to."""


class FeeKind(StrEnum):
    """What a fee is a share of."""

    SEC = "sec"
    """Section 31: share of the value of sales."""
    TAF = "taf"
    """FINRA's trading activity fee: an amount per share sold, capped per trade."""
    TAKER = "taker"
    """Share of the value of fills that take liquidity."""
    MAKER = "maker"
    """Share of the value of fills of resting limits."""


@dataclass(frozen=True)
class Fee:
    """One row: from `since` on, `kind` is charged at `rate`, at most `cap` per fill."""

    kind: FeeKind
    since: date
    rate: Decimal
    cap: Decimal | None = None


@dataclass(frozen=True)
class Trade:
    """What a fee depends on. `at`: nanoseconds since 1970; `value`: quantity times price."""

    side: Side
    quantity: Decimal
    value: Decimal
    maker: bool
    at: int


def _sec(since: str, per_million: str) -> Fee:
    return Fee(FeeKind.SEC, date.fromisoformat(since), Decimal(per_million) / 1_000_000)


def _taf(since: str, rate: str, cap: str) -> Fee:
    return Fee(FeeKind.TAF, date.fromisoformat(since), Decimal(rate), Decimal(cap))


def _crypto(taker: str, maker: str) -> tuple[Fee, ...]:
    start = date(2022, 1, 1)
    return Fee(FeeKind.TAKER, start, Decimal(taker)), Fee(FeeKind.MAKER, start, Decimal(maker))


SCHEDULES: dict[str, dict[AssetClass, tuple[Fee, ...]]] = {
    "none": {},
    "us_equity": {
        AssetClass.EQUITY: (
            _sec("2018-05-22", "13.00"),
            _sec("2019-04-16", "20.70"),
            _sec("2020-02-18", "22.10"),
            _sec("2021-02-25", "5.10"),
            _sec("2022-05-14", "22.90"),
            _sec("2023-02-27", "8.00"),
            _sec("2024-05-22", "27.80"),
            _sec("2025-05-14", "0"),
            _sec("2026-04-04", "20.60"),
            _taf("2012-07-01", "0.000119", "5.95"),
            _taf("2022-01-01", "0.000130", "6.49"),
            _taf("2023-01-01", "0.000145", "7.27"),
            _taf("2024-01-01", "0.000166", "8.30"),
            _taf("2026-01-01", "0.000195", "9.79"),
        ),
        AssetClass.CRYPTO_SPOT: _crypto("0.001", "0.001"),
        AssetClass.CRYPTO_PERPETUAL: _crypto("0.00055", "0.0002"),
    },
}


def fee(schedule: str, asset: AssetClass, trade: Trade) -> int:
    """Fee of `trade` in cash quanta. Dollars of US equities are rounded up to the cent, coins to 1e-8."""
    rows = SCHEDULES[schedule].get(asset, ())
    if not rows:
        return 0
    day = datetime.fromtimestamp(trade.at // 1_000_000_000, UTC).date()
    step = CENT if asset is AssetClass.EQUITY else QUANTUM
    return sum(quanta(_charge(row, trade).quantize(step, ROUND_CEILING)) for row in _in_force(rows, day))


def _in_force(rows: tuple[Fee, ...], day: date) -> list[Fee]:
    """The row of each kind that holds on `day`. Rows of one kind stand in the order of their days."""
    chosen: dict[FeeKind, Fee] = {}
    for row in rows:
        if row.kind not in chosen or row.since <= day:
            chosen[row.kind] = row
    return list(chosen.values())


def _charge(row: Fee, trade: Trade) -> Decimal:
    basis = {
        FeeKind.SEC: trade.value if trade.side is Side.SELL else Decimal(0),
        FeeKind.TAF: trade.quantity if trade.side is Side.SELL else Decimal(0),
        FeeKind.TAKER: Decimal(0) if trade.maker else trade.value,
        FeeKind.MAKER: trade.value if trade.maker else Decimal(0),
    }[row.kind]
    charge = row.rate * basis
    return charge if row.cap is None else min(charge, row.cap)
