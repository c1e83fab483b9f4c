"""What Alpaca's account activities mean for the books, as a table.

Promises that every kind that moves cash has a reason, and that an unknown kind is still booked by its amount, as OTHER.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, time
from zoneinfo import ZoneInfo

from trading_bot.brokers.alpaca.wire import Raw, moment
from trading_bot.domain.events import CashReason

FILL = "FILL"
SPLITS = frozenset({"SPLIT"})
CASH: Mapping[str, CashReason] = {
    "ACATC": CashReason.DEPOSIT,
    "CSD": CashReason.DEPOSIT,
    "CSW": CashReason.DEPOSIT,
    "JNL": CashReason.DEPOSIT,
    "JNLC": CashReason.DEPOSIT,
    "TRANS": CashReason.DEPOSIT,
    "CGD": CashReason.DIVIDEND,
    "DIV": CashReason.DIVIDEND,
    "DIVCGL": CashReason.DIVIDEND,
    "DIVCGS": CashReason.DIVIDEND,
    "DIVFT": CashReason.DIVIDEND,
    "DIVNRA": CashReason.DIVIDEND,
    "DIVROC": CashReason.DIVIDEND,
    "DIVTW": CashReason.DIVIDEND,
    "DIVTXEX": CashReason.DIVIDEND,
    "DIVWH": CashReason.DIVIDEND,
    "INT": CashReason.BORROW,
    "INTPNL": CashReason.BORROW,
    "INTNRA": CashReason.BORROW,
    "INTTW": CashReason.BORROW,
    "CFEE": CashReason.FEE,
    "DIVFEE": CashReason.FEE,
    "FEE": CashReason.FEE,
    "PTC": CashReason.FEE,
    "PTR": CashReason.FEE,
    "CIL": CashReason.CASH_IN_LIEU,
} | dict.fromkeys(
    # Shares that come, go or change their name, options, currencies: their cash is booked, and what they do to positions shows as drift.
    (
        *("ACATS", "EXTRD", "FOPT", "FXTRD", "JNLS", "MA", "MEM", "MISC", "NC", "OCT", "OPASN", "OPCA", "OPCSH", "OPEXC", "OPEXP"),
        *("OPTRD", "REORG", "SPIN", "SPLIT", "SWP", "VOF", "WH"),
    ),
    CashReason.OTHER,
)
"""Why cash moved, by kind of activity; all kinds that the SDK or the specification know but fills. CFEE in coins moves no cash."""

_EASTERN = ZoneInfo("America/New_York")


def execution_id(raw: Raw) -> str:
    """The stream's execution id of a FILL activity: what stands behind the `::`."""
    return str(raw["id"]).rpartition("::")[2]


def happened_at(raw: Raw) -> datetime:
    """When it was noted. One that tells its date only counts as the beginning of that day in New York."""
    told = raw.get("transaction_time") or raw.get("created_at")
    if told:
        return moment(told)
    return datetime.combine(moment(raw["date"]).date(), time(), _EASTERN)


def counts(raw: Raw, since: datetime) -> bool:
    """Whether a payment belongs into books that began at `since`."""
    return raw.get("status") != "canceled" and happened_at(raw) > since


def newest(raws: Iterable[Raw], fallback: datetime) -> datetime:
    """Time of the newest of them."""
    return max([fallback, *(happened_at(raw) for raw in raws)])
