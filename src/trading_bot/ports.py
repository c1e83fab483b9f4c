"""The ports: what rooms promise each other. An adapter is right if it keeps every sentence of its port.

A backtest, a simulated day, a paper and a live desk differ in the parts plugged in here, and in nothing else.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

from trading_bot.domain.proposals import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime, timedelta
    from decimal import Decimal

    import numpy as np
    import pandas as pd

    from trading_bot.domain.books import Account, Books, Position
    from trading_bot.domain.events import BrokerEvent
    from trading_bot.domain.instrument import Instrument
    from trading_bot.domain.market import CorporateAction, Feed, PriceBasis, Quote, Timeframe
    from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent
    from trading_bot.domain.proposals import Proposal, Verdict
    from trading_bot.domain.research import Analysis, EntryPlan, Opinion, Review, Screening
    from trading_bot.domain.tooling import ToolCall
    from trading_bot.domain.traits import VenueTraits
    from trading_bot.domain.values import ClientOrderId, DecisionId, EvidenceId, Journaled, Record, Symbol


R = TypeVar("R", bound="Journaled")
A_co = TypeVar("A_co", covariant=True)


class Clock(Protocol):
    """Trading time. Nothing else below `bootstrap` asks what time it is."""

    @property
    def simulated(self) -> bool:
        """Whether time moves only by `sleep_until`."""

    def now(self) -> datetime:
        """Current trading time, aware, UTC; it never goes backwards."""

    def sleep_until(self, moment: datetime) -> None:
        """Return at `moment`, at once if it has passed, or earlier if the desk was asked to stop or a venue rang."""


class WallClock(Protocol):
    """Real time, for money spent, heartbeats and a mandate's expiry, in every mode."""

    def now(self) -> datetime:
        """Current real time, aware, UTC."""


class Calendar(Protocol):
    """Sessions of one market. All times are UTC; a half day's close is its early close."""

    name: str

    def is_session(self, day: date) -> bool:
        """Whether the market opens on `day`."""

    def sessions(self, first: date, last: date) -> tuple[date, ...]:
        """Sessions from `first` to `last`, both included."""

    def hours(self, session: date) -> tuple[datetime, datetime]:
        """Opening and closing time of a session. NoDataError if `session` is none or lies outside the calendar."""

    def session_at(self, moment: datetime) -> date | None:
        """The session that is open at `moment` (opening included, closing excluded)."""

    def next_session(self, day: date) -> date:
        """First session after `day`."""

    def previous_session(self, day: date) -> date:
        """Last session before `day`."""


@dataclass(frozen=True, eq=False)
class BarSeries:
    """Bars of one symbol and timeframe, oldest first, prices as `basis` says.

    `frame` has float64 columns `open high low close volume` over a unique, rising UTC index of bar **starts**; `ends`
    (datetime64[ns], UTC without zone) holds each bar's close: the moment from which the bar may be seen.
    """

    symbol: Symbol
    timeframe: Timeframe
    frame: pd.DataFrame
    ends: np.ndarray
    feed: Feed
    basis: PriceBasis
    source: str


class MarketSource(Protocol):
    """Market data. It may know the future (a file does): only a clock-bound view may be shown to analysts.

    A source that failed raises SourceFailedError; a symbol that it does not have raises NoDataError; an empty answer means there is none.
    """

    name: str

    def instrument(self, symbol: Symbol) -> Instrument:
        """Grid and limits of `symbol`."""

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Timeframes that it has for `symbol`, finest first."""

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """All bars that it has."""

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends by rising ex-date; `ex` is the opening of the ex-date's session."""

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """Newest quote published at or before `at`, None before the first.

        Bar sources publish each bar's open at its start (source `bar-open`) and its close at its end (`bar-close`), with a
        modelled spread, from their finest bars.
        """

    def notes(self) -> tuple[str, ...]:
        """What was repaired, dropped or assumed while reading, a sentence each, for reports."""


@runtime_checkable
class Streaming(Protocol):
    """What a source has besides that speaks up by itself: streams, which are opened once and closed once."""

    def open(self, symbols: Sequence[Symbol]) -> None:
        """Look the symbols up and stream their quotes; returns at once. NoDataError names one that the source does not have.

        A source that was never opened answers too, by asking.
        """

    def close(self) -> None:
        """End streams, connections and whoever waits for an answer."""


class BarArchive(Protocol):
    """Bars and corporate actions that were kept. NoDataError for what is not there, StorageError for what is damaged."""

    def symbols(self) -> tuple[Symbol, ...]:
        """Symbols with bars, in order."""

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Timeframes of `symbol`, finest first; empty if there are none."""

    def read(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """All bars."""

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends by rising ex-date."""


class View(Protocol):
    """Market data as of the clock: nothing that was not public at `now()` can be seen through it."""

    def now(self) -> datetime:
        """Time at which it looks."""

    def instrument(self, symbol: Symbol) -> Instrument:
        """Grid and limits of `symbol`."""

    def quote(self, symbol: Symbol) -> Quote | None:
        """Newest quote, however old; who needs a fresh one looks at its time."""

    def bars(self, symbol: Symbol, timeframe: Timeframe, count: int) -> pd.DataFrame:
        """Last `count` closed bars, fewer if there are fewer.

        Adjusted by the splits and dividends whose ex-date has come, so that the newest bar is as traded.
        """

    def indicators(self, symbol: Symbol, timeframe: Timeframe) -> pd.DataFrame:
        """Indicator frame up to the last closed bar, on the same prices as `bars`; NaN where it cannot be known."""

    def feed(self, symbol: Symbol, timeframe: Timeframe) -> Feed:
        """Whose trades the bars hold."""


class Broker(Protocol):
    """A venue. What is absent is absent on purpose: no order without an `ApprovedOrder`, no close-position call.

    Every call may raise BrokerUnavailableError (nothing was sent) and BrokerKeysError. `submit`, `replace` and `cancel` may raise
    OutcomeUnknownError (it MAY have happened); they never try twice by themselves. Calls come from one thread at a time.
    """

    name: str
    settles_within: timedelta
    """An order that `find` does not know so long after it was sent was never placed; 0 where every call is a transaction."""
    foresees: bool
    """Whether `next_event_time` knows; else the venue has to be asked again and again."""
    cash_tolerance: Decimal
    """By how much its cash may differ from the sum of what it told, for roundings of its own; 0 where it is exact."""

    def traits(self, symbol: Symbol) -> VenueTraits:
        """How positions in `symbol` are guarded here."""

    def open(self, intents: Sequence[OrderIntent], booked: Sequence[BrokerEvent], ring: Callable[[], None]) -> None:
        """Begin, once, before anything else is asked but `account`.

        `intents`: all orders that the desk ever meant to send, `booked`: all events that it has booked, oldest first; so that an adapter
        needs no memory of its own. `ring`: called from any thread when there may be new events. Starts streams, if the venue has any.
        """

    def close(self) -> None:
        """End streams; orders stay as they are."""

    def account(self) -> Account:
        """Cash, equity and buying power now."""

    def positions(self) -> tuple[Position, ...]:
        """Open positions by symbol."""

    def open_orders(self) -> tuple[Order, ...]:
        """Working orders, legs included, by client order id."""

    def submit(self, order: ApprovedOrder) -> Order:
        """Send; the answer is the venue's first word.

        Idempotent: an id that the venue knows returns the order as it is.
        OrderRejectedError means that nothing was placed.
        """

    def replace(self, order: ApprovedOrder) -> Order:
        """Put `order` in the place of the resting `order.replaces`, atomically, links to its siblings kept.

        Idempotent like `submit`.
        OrderNotFoundError if that one rests no more.
        A venue without such a call guards first and cancels then, so that for a moment both rest.
        """

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Cancel a working order; one that is already at its end stays as it is. OrderNotFoundError if unknown."""

    def find(self, client_order_id: ClientOrderId) -> Order | None:
        """The order, open or closed, or None if the venue has none under this id."""

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """Events with a sequence above `after`, rising, without gaps, all that the venue is known to have done up to now.

        A fill and the order that it belongs to come together, so that at every event the order's filled quantity is the sum of its fills.
        """

    def next_event_time(self, until: datetime) -> datetime | None:
        """When a simulated venue's next event at or before `until` comes if nobody does anything.

        None if none does, or if the venue cannot know. Says nothing of what will happen.
        """


class Notifier(Protocol):
    """Tells people what they should know at once. Never raises: who cannot be told must not stop what protects their money."""

    def tell(self, title: str, body: str) -> None:
        """Tell, or note that it failed. Secrets are none of its business."""


class Journal(Protocol):
    """Append-only memory of the desk. What `append` returned from is durable.

    Idempotent: the same record again changes nothing; another content under the same key raises JournalConflictError.
    """

    desk: str
    """Desk part of client order ids."""

    def append(self, *records: Journaled) -> None:
        """Write all or none."""

    def get(self, record: type[R], key: str) -> R | None:
        """The record of this kind and key."""

    def all(self, record: type[R]) -> tuple[R, ...]:
        """All records of this kind in the order in which they were written."""

    def count(self, record: type[Journaled]) -> int:
        """Number of records of this kind."""

    def clock(self) -> datetime | None:
        """Trading time last marked, None in a new journal."""

    def mark_clock(self, moment: datetime) -> None:
        """Remember that trading time has reached `moment`, durably; earlier than the last mark raises ClockError."""

    def head(self) -> tuple[int, str]:
        """Number of rows and hash of the last, the anchor of the audit chain."""

    def post(self, item: InboxItem) -> None:
        """Put something into the inbox; any process may. The same id again changes nothing."""

    def pending(self) -> tuple[InboxItem, ...]:
        """Inbox items that were not consumed, in order of arrival."""

    def consume(self, item_id: str, *records: Journaled) -> None:
        """Mark an item as done and append what came of it, in one transaction."""


@dataclass(frozen=True)
class InboxItem:
    """A message to the owner of the home."""

    id: str
    kind: str
    """`command`, `proposal` or `approval`."""
    body: str
    """Canonical JSON."""
    posted_at: datetime
    """Wall time."""


@dataclass(frozen=True)
class Brief:
    """What an analyst is given for one step."""

    decision_id: DecisionId
    view: View
    books: Books
    universe: Sequence[Symbol]


@dataclass(frozen=True)
class Answer(Generic[A_co]):
    """What an analyst said: a value if, and only if, it answered."""

    value: A_co | None
    outcome: Outcome
    analyst: str
    """Who really answered: the link of a chain, not the chain."""
    model: str | None = None
    evidence: tuple[EvidenceId, ...] = ()
    """Ids of the recorded tool results that it rests on."""
    note: str = ""
    """Why there is no value, or why somebody else answered; the same for the same answer, so without times, paths and money."""
    shadow: Answer[A_co] | None = field(default=None, compare=False)
    """What the rules said to the same question."""


class Analyst(Protocol):
    """Who proposes. Answers are typed and the same, whoever answers.

    Reads only through the brief's view; keeps nothing between calls. Never raises for a model that failed, refused or was too
    dear: that is an outcome. DataError passes through.
    """

    name: str

    def screen(self, brief: Brief) -> Answer[Screening]:
        """Rank the universe."""

    def analyze(self, brief: Brief, symbol: Symbol) -> Answer[Analysis]:
        """Judge one symbol."""

    def optimize(self, brief: Brief, analysis: Analysis) -> Answer[EntryPlan]:
        """Find entry, stop and targets."""

    def monitor(self, brief: Brief) -> Answer[tuple[Proposal, ...]]:
        """Look at open positions; propose to close, reduce or move stops."""

    def review(self, brief: Brief, facts: Record) -> Answer[Review]:
        """Grade a period from its facts (`backtest.facts.Facts`, a room that ports cannot name)."""


class Approver(Protocol):
    """A second judge beside the one who proposed, within the mandate and never beyond it."""

    name: str

    def consider(self, brief: Brief, proposal: Proposal, preview: Verdict) -> Answer[Opinion]:
        """Approve what would need approval, veto what would not, or have no opinion. `preview`: what the gate says without it."""


@dataclass(frozen=True)
class ToolGrant:
    """What one run of a model may use: which tools, as of the brief's time, for which decision."""

    brief: Brief
    tools: tuple[str, ...]


class ToolAccess(Protocol):
    """An open grant: where the tools are served, and what was asked of them."""

    url: str
    token: str
    """Opens these tools, at this time, until the grant is closed."""

    def calls(self) -> tuple[ToolCall, ...]:
        """Every call so far, in order, as it was answered."""


class ToolHost(Protocol):
    """Serves read-only tools to a model's process, on loopback. What acts (`propose_trade`) is never granted."""

    def open(self, grant: ToolGrant) -> AbstractContextManager[ToolAccess]:
        """Serve the granted tools until the block ends. ToolFailedError for a tool that there is not, or that acts."""

    def schemas(self, tools: Sequence[str]) -> Sequence[dict[str, object]]:
        """Name, description and input schema of each tool, as the model is told them; part of a request's fingerprint."""
