"""The venue's fee schedules as rows of whole numbers: from a day on, a fraction of each basis, in cash quanta.

Promises the fees of `brokers/fees.py`, read from its table. Refuses an unknown schedule with KeyError.
"""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from trading_bot.brokers.fees import CENT, SCHEDULES, Fee, FeeKind
from trading_bot.brokers.units import QUANTUM, quanta
from trading_bot.domain.instrument import AssetClass, Instrument

_NO_CAP = 2**62
_RATES = tuple(f"{kind}_{term}" for kind in FeeKind for term in ("numerator", "denominator"))
FEE = np.dtype([(name, np.int64) for name in ("since", *_RATES, "taf_cap", "step")])
"""One row: from `since` (ns), each kind's rate as a fraction (of quanta per quantum, or of quanta per lot for TAF)."""


def fee_rows(schedule: str, instrument: Instrument) -> npt.NDArray[Any]:
    """Rows by rising `since`; the first holds before its day, too. None for a venue without fees."""
    table = SCHEDULES[schedule].get(instrument.asset_class, ())
    rows = [_row(table, since, instrument) for since in sorted({fee.since for fee in table})]
    return np.array(rows, dtype=FEE).reshape(-1)


def _row(table: tuple[Fee, ...], since: date, instrument: Instrument) -> tuple[int, ...]:
    step = CENT if instrument.asset_class is AssetClass.EQUITY else QUANTUM
    found = {kind: _in_force(table, kind, since) for kind in FeeKind}
    terms = [term for kind, fee in found.items() for term in _terms(fee, instrument, kind)]
    taf = found[FeeKind.TAF]
    cap = _NO_CAP if taf is None or taf.cap is None else quanta(taf.cap)
    return (int(np.datetime64(since, "ns").astype(np.int64)), *terms, cap, quanta(step))


def _in_force(table: tuple[Fee, ...], kind: FeeKind, day: date) -> Fee | None:
    """The newest row of `kind` that holds on `day`, or its first."""
    own = [fee for fee in table if fee.kind is kind]
    return next((fee for fee in reversed(own) if fee.since <= day), own[0] if own else None)


def _terms(fee: Fee | None, instrument: Instrument, kind: FeeKind) -> tuple[int, int]:
    rate = Decimal(0) if fee is None else fee.rate
    exact = Fraction(rate * instrument.lot_size / QUANTUM) if kind is FeeKind.TAF else Fraction(rate)
    return exact.numerator, exact.denominator
