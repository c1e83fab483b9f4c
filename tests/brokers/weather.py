"""An adapter over a network with weather, and those that say the wrong thing of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from brokers.honest import Honest
from trading_bot.domain.books import Account
from trading_bot.domain.errors import BrokerKeysError, BrokerUnavailableError, OutcomeUnknownError, RateLimitedError
from trading_bot.domain.events import BrokerEvent
from trading_bot.domain.orders import ApprovedOrder, Order
from trading_bot.domain.values import ClientOrderId
from trading_bot.ports import Broker
from trading_bot.sandbox.conformance import Bench, Trouble
from trading_bot.sandbox.conformance.paper_bench import paper_bench

SECRET = "PKSECRETWORD"  # noqa: S105 - opens nothing


@dataclass
class Weather:
    """What happens to calls."""

    now: Trouble | None = None

    @contextmanager
    def of(self, trouble: Trouble) -> Iterator[None]:
        """Such weather until the block ends."""
        self.now = trouble
        try:
            yield
        finally:
            self.now = None


class Weathered(Honest):
    """An adapter that says what happened on its way, rightly."""

    after = (Trouble.LOST_ANSWER, Trouble.SERVER_ERROR)
    unknown: type[Exception] = OutcomeUnknownError
    limited: type[Exception] = RateLimitedError
    unreached: type[Exception] = BrokerUnavailableError
    sends_anyway = False

    def __init__(self, inner: Broker, weather: Weather) -> None:
        super().__init__(inner)
        self.weather = weather

    def account(self) -> Account:
        """Out of reach in a storm."""
        if self.weather.now is Trouble.UNREACHABLE:
            raise self.unreached("nothing was sent")
        return self.inner.account()

    def submit(self, order: ApprovedOrder) -> Order:
        """As the weather is."""
        now, self.weather.now = self.weather.now, None if self.weather.now in self.after else self.weather.now
        before = {Trouble.RATE_LIMITED: self.limited, Trouble.UNREACHABLE: self.unreached, Trouble.LOST_REQUEST: self.unknown}
        if now in before:
            if self.sends_anyway:
                self.inner.submit(order)
            raise before[now]("an error of the way")
        made = self.inner.submit(order)
        if now in self.after:
            raise self.unknown("an error of the way")
        return made

    def replace(self, order: ApprovedOrder) -> Order:
        """As the weather is."""
        made = self.inner.replace(order)
        if self.weather.now is Trouble.LOST_REPLACE:
            raise self.unknown("an error of the way")
        return made

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """As the weather is."""
        self.inner.cancel(client_order_id)
        if self.weather.now is Trouble.LOST_CANCEL:
            self.weather.now = None
            raise self.unknown("an error of the way")


class Hopeful(Weathered):
    """Takes what may have happened for what did not."""

    unknown = BrokerUnavailableError


class Raw(Weathered):
    """Lets the errors of its library through."""

    unknown, limited, unreached = ConnectionResetError, ConnectionResetError, ConnectionResetError


class SendsAnyway(Weathered):
    """Says that nothing was sent, and sent it."""

    sends_anyway = True


class Lossy(Weathered):
    """Never finds what was unknown, and places nothing."""

    def submit(self, order: ApprovedOrder) -> Order:
        """Lost for good, while the suite thinks that it was placed."""
        if self.weather.now in self.after:
            raise OutcomeUnknownError("an error of the way")
        return super().submit(order)


class Confused(Weathered):
    """Tells twice what a stream said twice, and nothing while it is mute."""

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """As the stream says."""
        now, found = self.weather.now, self.inner.events(after)
        if now in {Trouble.DUPLICATED_STREAM, Trouble.SHUFFLED_STREAM}:
            return tuple(reversed(found)) if len(found) > 1 else ()
        return () if now is Trouble.MUTE_STREAM else found


class Stranger(Honest):
    """Has wrong keys."""

    said = "the venue does not know these keys"

    def account(self) -> Account:
        """Refused."""
        raise BrokerKeysError(self.said)


class Chatty(Stranger):
    """Says its key."""

    said = f"the venue does not know {SECRET}"


class Generous(Stranger):
    """Lets anybody in."""

    def account(self) -> Account:
        """As inside."""
        return self.inner.account()


class Printing(Weathered):
    """Shows its key to whoever prints it."""

    def __repr__(self) -> str:
        return f"Printing({SECRET})"


def weathered_bench(kind: type[Weathered] = Weathered, stranger: type[Stranger] = Stranger) -> Bench:
    """The paper venue over a network with weather, opened by keys."""
    plain, weather = paper_bench(), Weather()
    troubles: dict[Trouble, Callable[[], AbstractContextManager[None]]] = {
        t: partial(weather.of, t) for t in Trouble if t is not Trouble.THIN
    }
    return replace(
        plain,
        name=kind.__name__,
        make=lambda: kind(plain.make(), weather),
        stranger=lambda: stranger(plain.make()),
        secrets=(SECRET,),
        troubles={**plain.troubles, **troubles},
    )
