"""How an emulated Alpaca account is set up."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The account and its venue."""

    key: str | None = None
    """Left out: any key will do."""
    secret: str | None = field(default=None, repr=False)
    cash: Decimal = Decimal(100_000)
    live: bool = False
    """Whether it looks like an account with real money: its number does not begin with PA."""
    multiplier: int = 2
    flags: dict[str, Any] = field(default_factory=dict)
    """Of the account: `trading_blocked`, `account_blocked`, `shorting_enabled`, `status`, ..."""
    requests_per_minute: int = 200
    seed: int = 0
    slippage_bps: Fraction = Fraction(0)
    participation: Fraction = Fraction(1)
    cancel_after: timedelta = timedelta(0)
    """How long a cancel is pending; with 0 it is done before the next request."""

    @property
    def number(self) -> str:
        """The account's number."""
        return "913847502" if self.live else "PA3EMUL8T0R1"
