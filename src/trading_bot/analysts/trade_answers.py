"""What a model must answer about its trade in a coin: to open one, and to watch it.

Promises that an action comes with all that it needs. Refuses every word for a trade that is over: the broker says that, no answer does.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from trading_bot.analysts.answers import (
    CLAIMS,
    PRICE,
    STRING,
    Leg,
    Named,
    Paragraph,
    Part,
    Price,
    Properties,
    Said,
    Sentence,
    Share,
    list_of,
    one_of,
)
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import ProposalKind
from trading_bot.domain.values import Ratio


class OpeningAction(StrEnum):
    """What may be answered to `open`."""

    OPEN = ProposalKind.OPEN.value
    STAND_ASIDE = "stand_aside"


class Opening(Said):
    """Answer to `open`: one trade with all its prices, or none."""

    properties: ClassVar[Properties] = {
        "action": one_of(OpeningAction),
        "symbol": STRING,
        "side": one_of(Side),
        "entry": PRICE,
        "stop": PRICE,
        "targets": list_of({"price": PRICE, "fraction": PRICE}),
        "conviction": {"type": "number"},
        "thesis": STRING,
        "claims": CLAIMS,
    }

    action: OpeningAction
    symbol: Named | None = None
    side: Side | None = None
    entry: Price | None = None
    stop: Price | None = None
    targets: tuple[Leg, ...] = Field(default=(), max_length=4)
    conviction: Ratio | None = None
    """Probability of target before stop."""
    thesis: Paragraph

    @property
    def trade(self) -> "Trade | None":
        """What is to be opened, None for standing aside."""
        if self.action is OpeningAction.STAND_ASIDE:
            return None
        return Trade.model_validate({name: getattr(self, name) for name in Trade.model_fields})

    @model_validator(mode="after")
    def _says_what_it_opens(self) -> Self:
        if self.action is OpeningAction.OPEN:
            _needs(self, "open", tuple(Trade.model_fields))
        return self


class Trade(Part):
    """What an opening consists of."""

    symbol: Named
    side: Side
    entry: Price
    stop: Price
    targets: tuple[Leg, ...]
    conviction: Ratio


class WatchingAction(StrEnum):
    """What may be answered to `watch`."""

    HOLD = ProposalKind.HOLD.value
    MOVE_STOP = ProposalKind.MOVE_STOP.value
    REDUCE = ProposalKind.REDUCE.value
    CLOSE = ProposalKind.CLOSE.value


class Watched(Said):
    """Answer to `watch`."""

    properties: ClassVar[Properties] = {
        "action": one_of(WatchingAction),
        "symbol": STRING,
        "stop": PRICE,
        "fraction": PRICE,
        "reason": STRING,
        "claims": CLAIMS,
    }

    action: WatchingAction
    symbol: Named
    stop: Price | None = None
    fraction: Share | None = None
    """Of the position, to give up."""
    reason: Annotated[Sentence, Field(min_length=1)]

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        needed = {WatchingAction.MOVE_STOP: ("stop",), WatchingAction.REDUCE: ("fraction",)}
        _needs(self, self.action, needed.get(self.action, ()))
        return self


def _needs(said: Said, action: str, fields: Sequence[str]) -> None:
    """ValueError names the fields that an action needs and the answer lacks."""
    missing = [name for name in fields if getattr(said, name) in {None, ()}]
    if missing:
        msg = f"{action} needs {', '.join(missing)}"
        raise ValueError(msg)
