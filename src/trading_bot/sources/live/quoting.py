"""Quotes from a stream, and from a poll where the stream is mute.

Promises the newest quote that the venue published at or before the moment asked for, with the venue's own time, and a source
that says whether it was streamed or polled. When the stream has no quote of a symbol that is young enough, or has just come
back, the newest quotes of all symbols are read in one call, no more often than every two seconds. Refuses to call an old
quote new: if a poll fails the last one is returned with its own time; if there is none, the failure is raised.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading_bot.domain.errors import NoDataError, SourceFailedError
from trading_bot.domain.market import Feed, Quote
from trading_bot.domain.values import Symbol
from trading_bot.network.backoff import Backoff
from trading_bot.network.watch import Watch
from trading_bot.sources.live.quote_tape import QuoteTape, RawQuote
from trading_bot.sources.sessions import SECOND, moment_of, nanoseconds

_YOUNG = 3 * SECOND
"""A quote of this age is polled for."""
_EVERY = timedelta(seconds=2)
_PRESENT = timedelta(seconds=2)
"""Who asks for an earlier moment looks back: a poll would tell nothing of it."""
_PLACES = Decimal("1e-12")
SKEW = 5 * SECOND
"""A quote that claims to be further in the future is a lie."""

Poll = Callable[[], Iterable[tuple[str, RawQuote]]]


@dataclass(frozen=True)
class Origin:
    """How quotes are marked: `name` is the beginning of their source, such as `alpaca-iex`."""

    name: str
    feed: Feed


class LiveQuotes:
    """Quotes of one market. `watch` is that of its stream, `poll` reads the newest quotes of all symbols, `now` gives trading time."""

    def __init__(self, origin: Origin, watch: Watch, poll: Poll, now: Callable[[], datetime], draw: Callable[[], float]) -> None:
        self._sources = (f"{origin.name}-stream", f"{origin.name}-poll")
        self._feed = origin.feed
        self._poll = poll
        self.now = now
        self.watch = watch
        self.tape = QuoteTape()
        self._backoff = Backoff(draw, first=_EVERY.total_seconds())
        self._next_poll: datetime | None = None
        self._made: dict[Symbol, tuple[RawQuote, Quote]] = {}
        self.failure: SourceFailedError | None = None
        """Why the last poll told nothing."""

    def heard(self, symbol: str, quote: RawQuote) -> None:
        """Take a quote from the stream, from the stream's thread."""
        if self.tape.put(symbol, quote):
            self.watch.heard()

    def at(self, symbol: Symbol, moment: datetime) -> Quote | None:
        """The newest quote at or before `moment`, None if none was published. SourceFailedError if that cannot be known."""
        nanos, present = nanoseconds(moment), self.is_present(moment)
        if present:
            self.tape.forget_after(symbol, nanoseconds(self.now()) + SKEW)
        raw = self.tape.at(symbol, nanos)
        if present and (self.watch.gap or raw is None or nanos - raw.nanos > _YOUNG):
            self.fill()
            # A poll takes time: what it told is as of now, not as of the moment when the question was asked.
            raw = self.tape.at(symbol, nanos) or self.tape.at(symbol, nanoseconds(self.now()))
        if raw is None:
            if self.failure is not None:
                raise self.failure
            return None
        return self._quote(symbol, raw)

    def is_present(self, moment: datetime) -> bool:
        """Whether a poll would tell something of `moment`."""
        return self.now() - moment < _PRESENT

    def fill(self) -> None:
        """Poll, if it is time to."""
        now = self.now()
        if self._next_poll is not None and now < self._next_poll:
            return
        gap = self.watch.gap
        try:
            for symbol, quote in self._poll():
                self.tape.put(symbol, quote)
        except (SourceFailedError, NoDataError) as error:
            self.failure = error if isinstance(error, SourceFailedError) else SourceFailedError(str(error))
            self._next_poll = now + timedelta(seconds=self._backoff.wait())
            return
        self.failure = None
        self._backoff.succeeded()
        self._next_poll = now + _EVERY
        self.watch.filled(gap)

    def _quote(self, symbol: Symbol, raw: RawQuote) -> Quote:
        made = self._made.get(symbol)
        if made is None or made[0] is not raw:
            made = self._made[symbol] = (raw, self._build(symbol, raw))
        return made[1]

    def _build(self, symbol: Symbol, raw: RawQuote) -> Quote:
        bid, ask, bid_size, ask_size = (exact(number) for number in raw[1:5])
        return Quote(
            symbol=symbol,
            bid=bid,
            ask=ask,
            bid_size=bid_size,
            ask_size=ask_size,
            time=moment_of(raw.nanos),
            source=self._sources[raw.polled],
            feed=self._feed,
        )


def exact(number: float | str) -> Decimal:
    """The decimal that a vendor meant by `number`, to twelve places at most."""
    meant = Decimal(str(number))
    return meant if meant == meant.quantize(_PLACES) else meant.quantize(_PLACES)
