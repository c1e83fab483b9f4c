"""A simulated day on an emulated Alpaca where things go wrong: the vendor's real SDK over a real socket, on the desk's own simulated clock.

Promises that market, desk, gate and engine are those of the plain simulated day, and that what went wrong and what came of it can be told
afterwards from the emulator's log and the desk's journal. The venue lives as long as the process, so its home begins anew each time.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from random import Random

from trading_bot.config import Config
from trading_bot.domain.events import BookedEvent, OrderUpdate
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.records import Drift, Send
from trading_bot.domain.values import ClientOrderId
from trading_bot.network.keys import Keys
from trading_bot.ports import Calendar, Clock, Journal, MarketSource
from trading_bot.sandbox.chaos.audit import Trial, Violation, audit
from trading_bot.sandbox.chaos.telling import read
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.venue_faults import Rule, Struck, load
from trading_bot.settings import AlpacaSettings

_KEYS = Keys("emulated", "emulated")


@dataclass(frozen=True)
class Save:
    """One thing that went wrong, and what the desk made of it."""

    at: str
    """Of the first time."""
    fault: str
    times: int
    outcome: str
    saved: bool


class FaultyVenue:
    """An emulated Alpaca with a fault script, and the adapter that trades it."""

    def __init__(
        self, config: Config, rules: Sequence[Rule], source: MarketSource, calendars: Callable[[str], Calendar], clock: Clock
    ) -> None:
        from trading_bot.brokers.alpaca.broker import AlpacaBroker  # noqa: PLC0415 - half a second of imports
        from trading_bot.sandbox.alpaca.emulator import AlpacaEmulator  # noqa: PLC0415 - the same
        from trading_bot.sandbox.alpaca.making import market_of  # noqa: PLC0415 - the same
        from trading_bot.sandbox.alpaca.setup import Setup  # noqa: PLC0415 - the same

        market = market_of(source, config.universe.symbols, calendars, seed=config.seed)
        setup = Setup(cash=config.broker.cash, requests_per_minute=100_000, seed=config.seed)
        self.emulator = AlpacaEmulator(market, EmulatedClock.following(clock.now), setup, rules)
        self.emulator.__enter__()
        settings = AlpacaSettings.model_validate(config.alpaca.model_dump() | {"url": self.emulator.url, "requests_per_minute": 10_000})
        # What the adapter waits for passes on the desk's clock, which runs ahead of the machine's.
        self.broker = AlpacaBroker(settings, _KEYS, "", clock, lambda: clock.now().timestamp(), Random(config.seed).random)  # noqa: S311 - jitter

    def close(self) -> None:
        """End the venue."""
        self.broker.close()
        self.emulator.__exit__()


def rules_of(path: Path | None) -> tuple[Rule, ...]:
    """The rules in `path`, or those of the day that comes with the desk. ConfigError names the line of what is wrong."""
    if path is not None:
        return load(path)
    with resources.as_file(resources.files("trading_bot.sandbox").joinpath("faulty_day.yaml")) as shipped:
        return load(shipped)


def fresh_home(parent: Path) -> Path:
    """The folder of a day with faults, emptied of the last one."""
    home = parent / "faulty-day"
    shutil.rmtree(home, ignore_errors=True)
    return home


def audited(venue: FaultyVenue, journal: Journal, ended: datetime) -> tuple[Violation, ...]:
    """What chaos would find wrong with the day, by the venue's own log: something lost, doubled, never meant, or naked for 5 s."""
    booked = tuple(row.event for row in journal.all(BookedEvent))
    return audit(Trial(told=read(venue.emulator.evidence.after(0)), intents=journal.all(OrderIntent), booked=booked, ended=ended))


def saves(venue: FaultyVenue, journal: Journal) -> tuple[Save, ...]:
    """What went wrong, in the order of its first time, and what came of it."""
    story = _Story(venue, journal)
    struck: dict[str, list[Struck]] = {}
    for one in venue.emulator.script.struck:
        struck.setdefault(one.rule.fault, []).append(one)
    return tuple(story.save(fault, times) for fault, times in struck.items())


class _Story:
    """What emulator and journal say of a day."""

    def __init__(self, venue: FaultyVenue, journal: Journal) -> None:
        self._evidence = venue.emulator.evidence
        self._journal = journal
        self._fills = [note["execution_id"] for note in self._evidence.of("fill")]

    def save(self, fault: str, struck: Sequence[Struck]) -> Save:
        """One kind of fault with its outcome."""
        tell = {"orders": self._orders, "foreign": self._foreign, "books": self._books}[_TOLD_BY.get(fault, "books")]
        outcome, saved = tell(fault)
        return Save(struck[0].at.isoformat(), fault.replace("_", " "), len(struck), outcome, saved)

    def _orders(self, fault: str) -> tuple[str, bool]:
        """Orders whose sending was disturbed: each once at the venue, or not at all and known to be so."""
        hit = [ClientOrderId(n["client_id"]) for n in self._evidence.of("fault") if n["rule"] == fault and n.get("client_id")]
        placed = {i: {n["venue_id"] for n in self._evidence.of("order") if n.get("client_id") == i} for i in hit}
        ended = [self._journal.get(Send, identity) for identity in hit]
        words = ", ".join(
            f"{'no word' if s is None else s.outcome.value}, {len(placed[i])} at the venue" for i, s in zip(hit, ended, strict=True)
        )
        fine = all(s is not None for s in ended) and all(len(found) <= 1 for found in placed.values())
        return f"asked for by its own id: {words}", fine

    def _foreign(self, _fault: str) -> tuple[str, bool]:
        """An order that somebody else placed."""
        told = [d for drift in self._journal.all(Drift) for d in drift.differences if d.startswith("order ")]
        return ("told to the operator, left alone" if told else "not told"), bool(told)

    def _books(self, fault: str) -> tuple[str, bool]:
        """Whatever happened, every execution is in the books once."""
        booked = _booked(self._journal)
        lost = [e for e in self._fills if booked.count(e) != 1]
        what = f"{len(self._fills)} fills, each booked once" if not lost else f"{len(lost)} fills not booked once"
        return f"{_MEANT.get(fault, '')}{what}", not lost


_TOLD_BY = dict.fromkeys(("lost_answer", "server_error", "rate_limited", "reject"), "orders") | {"order_by_hand": "foreign"}
_MEANT = {
    "partial_fill": "the rest was canceled, what was filled has its stop; ",
    "drop_stream": "connected anew, what was missed was read; ",
    "unreachable": "stops rest at the venue, no new risk meanwhile; ",
    "maintenance": "stops rest at the venue, no new risk meanwhile; ",
}


def _booked(journal: Journal) -> list[str]:
    events = (row.event for row in journal.all(BookedEvent))
    return [e.fill.execution_id for e in events if isinstance(e, OrderUpdate) and e.fill is not None]
