"""A small scope, and tools that tests can watch, for hosts and servers; their processes find it as `served`."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from builders import AAPL, NOW
from desks import ScriptedSource
from trading_bot.backtest.facts import Material
from trading_bot.domain.books import Books
from trading_bot.domain.errors import HomeError, ToolFailedError
from trading_bot.domain.proposals import Proposal, Verdict
from trading_bot.domain.values import DecisionId, Record, UtcTime
from trading_bot.execution.clock import SimulatedClock
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.ports import Brief, View
from trading_bot.tools.registry import Tool, Toolset
from trading_bot.tools.scope import Scope

T = TypeVar("T")
BARS = [(100.0 + n, 101.0 + n, 99.0 + n, 100.5 + n) for n in range(12)]
DECISION = DecisionId("decision-1")


class Ask(Record):
    """What the tools of these tests take."""

    say: str = ""


class Seen(Record):
    """What they answer: as of when, the newest quote, what was asked."""

    as_of: UtcTime
    bid: float | None
    said: str


@dataclass(frozen=True)
class Watched(Tool):
    """A tool whose function the test gives."""

    does_it: Callable[[Scope, Any], Record] | None = None

    @property
    def implementation(self) -> Callable[[Scope, Any], Record]:
        """The test's function."""
        assert self.does_it is not None
        return self.does_it


def look(scope: Scope, query: Ask) -> Seen:
    """What the scope's view shows now."""
    quote = scope.view.quote(AAPL)
    return Seen(as_of=scope.view.now(), bid=None if quote is None else float(quote.bid), said=query.say)


def fail(_scope: Scope, _query: Ask) -> Seen:
    """Cannot answer."""
    raise ToolFailedError("ask for something else")


def tool(name: str, does_it: Callable[[Scope, Any], Record], *, read_only: bool = True) -> Tool:
    """A tool of the market-data set."""
    return Watched(name, Toolset.MARKET_DATA, f"Does {name}.", Ask, Seen, read_only, does_it)


TOOLS = (tool("look", look), tool("fail", fail), tool("act", look, read_only=False))


class Overlap:
    """A tool that gives a second caller the time to come in, and knows whether one did."""

    def __init__(self) -> None:
        self.happened = False
        self._inside = threading.Lock()
        self._met = threading.Event()

    def __call__(self, scope: Scope, query: Ask) -> Seen:
        """Look, slowly enough to be overtaken."""
        if not self._inside.acquire(blocking=False):
            self.happened = True
            self._met.set()
            return look(scope, query)
        self._met.wait(0.05)
        self._inside.release()
        return look(scope, query)


def market() -> tuple[SimulatedClock, AsOfView]:
    """A clock at the opening and a view bound to it, over an hour of bars."""
    clock = SimulatedClock(NOW)
    return clock, AsOfView(ScriptedSource(BARS), clock.now)


def brief(view: View) -> Brief:
    """What an analyst is given."""
    return Brief(DECISION, view, Books(cash=Decimal(100_000)), (AAPL,))


def no_verdict(_proposal: Proposal) -> Verdict:
    """These tests preview nothing."""
    raise ToolFailedError("no gate here")


def scope(of: Brief) -> Scope:
    """A desk without a past."""
    return Scope(
        decision=of.decision_id,
        view=of.view,
        universe=tuple(of.universe),
        calendar=open_calendar("XNYS"),
        material=Material(Decimal(100_000), (), (), (), (), (), of.books),
        decisions=(),
        mandate=None,
        preview=no_verdict,
        propose=lambda proposal: f"filed {proposal.id}",
    )


def later(clock: SimulatedClock) -> datetime:
    """Let five minutes pass."""
    clock.sleep_until(clock.now() + timedelta(minutes=5))
    return clock.now()


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run a client to its end, or fail within 30 seconds."""

    async def bounded() -> T:
        return await asyncio.wait_for(work(), 30)

    return asyncio.run(bounded())


@contextmanager
def open_scope() -> Iterator[Scope]:
    """What a server without a desk looks at, named to it as `served:open_scope`."""
    yield scope(brief(market()[1]))


@contextmanager
def researching() -> Iterator[Scope]:
    """What the backtest tools look at: the written market with its laboratory."""
    from tools.scopes import scope as written  # noqa: PLC0415 - the other servers of these tests do without

    yield written()


def no_home() -> AbstractContextManager[Scope]:
    """A home that cannot be opened."""
    raise HomeError("there is no desk here: run `python -m trading_bot init`")


def talking() -> AbstractContextManager[Scope]:
    """A library that prints where it should not."""
    print("a stray line")  # noqa: T201 - that is the point
    return open_scope()


def broken() -> AbstractContextManager[Scope]:
    """A bug."""
    raise ZeroDivisionError("secret")


def endless() -> AbstractContextManager[Scope]:
    """A tool that never comes back."""
    threading.Event().wait()
    return open_scope()
