"""A row of the ledger for what costs nothing: how often local models are asked, how long they take, how often they fail.

Promises one row for each call, at 0 USD, beside the rows of what is paid, so that `costs` compares the tiers. Refuses to keep a reading
back because its row cannot be written: no money hangs on it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal

from trading_bot.domain.errors import HomeError, ModelError, StorageError
from trading_bot.domain.news import Sentiment, Tier
from trading_bot.domain.values import ZERO
from trading_bot.llm.budget import READING
from trading_bot.llm.calls import Ending
from trading_bot.ports import WallClock
from trading_bot.ports.news import Passage, SentimentModel
from trading_bot.storage.spending import Settlement, Spending, SpendingLedger


class MeteredModel:
    """`model`, whose calls stand in `ledger`; `new_id` names them."""

    def __init__(self, model: SentimentModel, ledger: SpendingLedger, wall: WallClock, new_id: Callable[[], str]) -> None:
        self.tier: Tier = model.tier
        self.name: str = model.name
        self._model = model
        self._ledger = ledger
        self._wall = wall
        self._new_id = new_id

    def judge(self, passages: Sequence[Passage]) -> Sequence[Sentiment]:
        """What the model says; its errors too."""
        began = self._wall.now()
        try:
            said = self._model.judge(passages)
        except ModelError as error:
            self._write(began, self.name, error.code)
            raise
        self._write(began, said[0].model if said else self.name, Ending.ANSWERED)
        return said

    def price(self) -> Decimal:
        """What the model says."""
        return self._model.price()

    def _write(self, began: datetime, model: str, outcome: str) -> None:
        call = self._new_id()
        row = Spending(
            call_id=call,
            decision_id=call,
            workflow=READING,
            tier=self.tier,
            model=model,
            reserved_at=began,
            day=began.date(),
            reserved_usd=ZERO,
        )
        none = dict.fromkeys(("input", "output", "cache_read", "cache_write", "turns"), 0)
        ended = Settlement(settled_at=self._wall.now(), outcome=str(outcome), cost_usd=ZERO, **none)
        with suppress(StorageError, HomeError), self._ledger.writing() as page:
            page.reserve(row)
            page.settle(call, ended)
