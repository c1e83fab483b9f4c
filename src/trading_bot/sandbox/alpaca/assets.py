"""What can be traded at the emulated Alpaca: assets, their flags, and how a client may spell them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.values import Symbol
from trading_bot.sandbox.alpaca.orders import missing, text


def stable_id(*parts: object) -> str:
    """A UUID that is a function of its parts."""
    return str(uuid5(NAMESPACE_URL, "/".join(map(str, parts))))


@dataclass(frozen=True)
class Asset:
    """One asset and what may be done with it."""

    instrument: Instrument
    status: str = "active"
    tradable: bool = True
    easy_to_borrow: bool = True

    @property
    def symbol(self) -> Symbol:
        """Its name, coins with a slash."""
        return self.instrument.symbol

    @property
    def id(self) -> str:
        """Its UUID."""
        return stable_id("asset", self.symbol)

    @property
    def crypto(self) -> bool:
        """Whether it is a coin."""
        return self.instrument.asset_class is not AssetClass.EQUITY

    @property
    def kind(self) -> str:
        """Its class as the API spells it."""
        return "crypto" if self.crypto else "us_equity"

    @property
    def exchange(self) -> str:
        """Where it is listed. Alpaca says CRYPTO of coins, which its own specification does not know; this keeps to the latter."""
        return "OTC" if self.crypto else "NASDAQ"

    @property
    def held_as(self) -> str:
        """Its name in positions and activities: coins lose their slash."""
        return self.symbol.replace("/", "")

    @property
    def shortable(self) -> bool:
        """Whether it may be sold short."""
        return self.instrument.shortable and self.easy_to_borrow and not self.crypto

    @property
    def fractionable(self) -> bool:
        """Whether parts of one may be traded."""
        return self.instrument.lot_size < 1

    def json(self) -> dict[str, Any]:
        """As the API tells it."""
        told: dict[str, Any] = {
            "id": self.id,
            "class": self.kind,
            "exchange": self.exchange,
            "symbol": self.symbol,
            "name": f"{self.symbol} (emulated)",
            "status": self.status,
            "tradable": self.tradable,
            "marginable": not self.crypto,
            "maintenance_margin_requirement": 100 if self.crypto else 30,
            "margin_requirement_long": "100" if self.crypto else "30",
            "margin_requirement_short": "100" if self.crypto else "30",
            "shortable": self.shortable,
            "easy_to_borrow": self.shortable,
            "borrow_status": "easy_to_borrow" if self.shortable else "hard_to_borrow",
            "fractionable": self.fractionable,
            "attributes": [],
        }
        if self.crypto:
            grid = {"min_order_size": self.instrument.lot_size, "min_trade_increment": self.instrument.lot_size}
            told |= {k: text(v) for k, v in grid.items()} | {"price_increment": text(self.instrument.tick_size)}
        return told


@dataclass
class Assets:
    """All assets, found by symbol in either spelling or by id."""

    by_symbol: dict[str, Asset] = field(default_factory=dict)

    @classmethod
    def of(cls, instruments: Mapping[Symbol, Instrument]) -> "Assets":
        """Each instrument as an active asset."""
        return cls({symbol: Asset(instrument) for symbol, instrument in instruments.items()})

    def find(self, name: str) -> Asset:
        """By symbol or id. 404 if there is none."""
        found = self.by_symbol.get(name) or next((a for a in self.by_symbol.values() if name in {a.held_as, a.id}), None)
        if found is None:
            raise missing(f"asset not found for {name}")
        return found

    def change(self, symbol: str, **flags: object) -> Asset:
        """Give an asset other flags (status, tradable, easy_to_borrow)."""
        changed = replace(self.find(symbol), **flags)  # type: ignore[arg-type]  # names and types are the caller's
        self.by_symbol[changed.symbol] = changed
        return changed


def on_grid(value: Decimal, step: Decimal) -> bool:
    """Whether `value` is a whole number of steps."""
    return value % step == 0
