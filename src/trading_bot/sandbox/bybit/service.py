"""The venue behind its door: every call is one step of emulated time, then the fault rules, the signature, the limit and the answer.

Promises that a call which a fault keeps from being carried out changes nothing, and that each call is in the evidence with its outcome.
Its methods may be called from any thread.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from trading_bot.brokers.units import moment, stamp
from trading_bot.domain.errors import DeskError
from trading_bot.domain.values import amount_text
from trading_bot.ports import WallClock
from trading_bot.sandbox.bybit import deeds, placing, routes_account, routes_trade, settling
from trading_bot.sandbox.bybit.engine import Engine
from trading_bot.sandbox.bybit.faults import Fate, Havoc, Manner
from trading_bot.sandbox.bybit.limits import Limits
from trading_bot.sandbox.bybit.routes import CANCEL, CREATE, KEY, ROUTES, Route
from trading_bot.sandbox.bybit.signing import ANYONE, Credentials, Times, check
from trading_bot.sandbox.bybit.stream import Hub
from trading_bot.sandbox.bybit.wire import Parameters, Refused, envelope, refusal
from trading_bot.sandbox.evidence import Evidence
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.sandbox.venue_faults import Rule

UID = 53888001
_TRADING = frozenset({"order", "replace", "cancel", "setting"})
_OK = 200


@dataclass(frozen=True)
class Call:
    """One request as it came."""

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def payload(self) -> str:
        """What is signed: the query as it was sent, or the body."""
        return self.query if self.method == "GET" else self.body.decode("utf-8", "replace")

    def said(self) -> Parameters:
        """What it says; 10001 for a body that is none."""
        if self.method == "GET":
            return Parameters(dict(parse_qsl(self.query, keep_blank_values=True)))
        try:
            body = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            raise Refused("parameter", "the body is not JSON") from None
        if not isinstance(body, dict):
            raise Refused("parameter", "the body is not an object")
        return Parameters(body)


@dataclass(frozen=True)
class Reply:
    """An answer, and how it travels."""

    content: Mapping[str, Any]
    status: int = _OK
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    manner: Manner = Manner.WHOLE


@dataclass(frozen=True)
class Setup:
    """How a venue is made."""

    markets: Mapping[str, EmulatedMarket]
    clock: EmulatedClock
    wall: WallClock
    faults: Sequence[Rule] = ()
    credentials: Credentials = ANYONE
    cash: Decimal = Decimal(10_000)
    seed: int = 0
    per_second: int | None = None
    """Calls of one endpoint in a second; none: as many as come."""


class Service:
    """The venue."""

    def __init__(self, setup: Setup, evidence: Evidence) -> None:
        self.lock = threading.RLock()
        self.credentials = setup.credentials
        self.evidence = evidence
        self.clock, self._wall = setup.clock, setup.wall
        at = self.clock.now()
        traded = {symbol for market in setup.markets.values() for symbol in market.symbols}
        self.havoc = Havoc(setup.faults, setup.seed, evidence, traded)
        self.havoc.script.begin(at)
        self.hub = Hub(lambda message: self.havoc.spoil(message, moment(self.engine.clock)))
        self.engine = Engine(setup.markets, stamp(at), setup.seed, evidence, self._tell)
        self._limits = Limits(setup.per_second)
        self._logged = 0
        self.engine.ledger.deposit("USDT", setup.cash, stamp(at))

    @property
    def now(self) -> datetime:
        """How far emulated time has come."""
        return moment(self.engine.clock)

    def times(self) -> Times:
        """What clients' times are held against."""
        rule = self.havoc.active("clock_skew", self.now)
        return Times(self._wall.now(), self.now, timedelta(seconds=rule.seconds if rule is not None else 0))

    # -- time ------------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Let happen all that happens up to now, and tell it."""
        with self.lock:
            now = self.clock.now()
            while (due := self.havoc.script.next_due()) is not None and due <= now:
                self.engine.advance(max(stamp(due), self.engine.clock))
                self._strike(self.havoc.due(max(due, self.now)))
            self.engine.advance(max(stamp(now), self.engine.clock))
            self._flush()

    def publish(self) -> None:
        """Tell public streams what is new, unless they are mute."""
        with self.lock:
            if not self.havoc.active("mute_stream", self.now):
                self.hub.publish(self.engine)

    def _strike(self, rules: Sequence[Rule]) -> None:
        for rule in rules:
            if rule.fault in {"drop_stream", "unreachable", "expired_token"}:
                self._drop(private_only=rule.fault == "expired_token")
            elif not rule.lasts:
                self._happen(rule)

    def _happen(self, rule: Rule) -> None:
        """Do what a rule says; what the venue does not let happen is written down."""
        try:
            deeds.of_rule(self.engine, rule)
        except (Refused, DeskError, ValueError, ArithmeticError, KeyError) as error:
            self.evidence.note("action", self.now, what=rule.fault, symbol=rule.symbol, refused=str(error))

    def _drop(self, *, private_only: bool = False) -> None:
        count = self.hub.drop(private_only=private_only)
        self.evidence.note("stream", self.now, what="dropped", count=count)

    def _tell(self, topic: str, row: dict[str, Any]) -> None:
        self.hub.tell(self.engine, topic, row)

    def _flush(self) -> None:
        """Tell positions and the wallet, if something changed them."""
        engine, moved = self.engine, len(self.engine.ledger.log)
        worth = settling.equity(engine) if engine.dirty else Decimal(0)
        for symbol in sorted(engine.dirty):
            position = engine.ledger.positions[symbol]
            self._tell("position", position.streamed(engine.mark(position.contract), worth))
        if moved != self._logged:
            self._tell("wallet", routes_account.wallet(engine))
        engine.dirty.clear()
        self._logged = moved
        if self.havoc.drops:
            self.havoc.drops = False
            self._drop()

    # -- calls -----------------------------------------------------------------------------------------------------------

    def answer(self, call: Call) -> Reply:
        """Answer a call."""
        with self.lock:
            self.step()
            route = ROUTES.get((call.method, call.path))
            if route is None:
                return Reply(refusal(Refused("path"), self.now), 404)
            symbol, link = _named(call)
            fate, rules = self.havoc.fate(route.kind, symbol, self.now)
            self._strike(rules)
            reply = self._outcome(call, route, fate)
            self._flush()
            self.evidence.note(
                "request",
                self.now,
                method=call.method,
                path=call.path,
                client_id=link,
                outcome=reply.content.get("retCode"),
                status=reply.status,
                carried_out=fate.carried_out,
                answered=fate.manner.value,
            )
            return reply

    def _outcome(self, call: Call, route: Route, fate: Fate) -> Reply:
        headers, now = {}, self._wall.now()
        content = self._carried_out(call, route, fate) if fate.carried_out else {}
        if fate.refusal:
            content = refusal(Refused(fate.refusal), self.now)
        if not route.public:
            limited = content.get("retCode") == Refused("too_many").code
            told = not fate.limited or fate.reset_in is not None
            headers = self._limits.headers(call.path, now, reset_in=fate.reset_in, empty=limited) if told else {}
        return Reply(content or refusal(Refused("server"), self.now), fate.status, headers, fate.delay, fate.manner)

    def _carried_out(self, call: Call, route: Route, fate: Fate) -> dict[str, Any]:
        try:
            if not route.public:
                check(self.credentials, call.headers, call.payload, self.times())
                if not self._limits.admit(call.path, self._wall.now()):
                    raise Refused("too_many")  # noqa: TRY301 - a refusal like all others
                if self.credentials.read_only and route.kind in _TRADING:
                    raise Refused("permission")  # noqa: TRY301 - a refusal like all others
            return envelope(self._result(call, route, fate), self.now)
        except Refused as refused:
            return refusal(refused, self.now)

    def _result(self, call: Call, route: Route, fate: Fate) -> dict[str, Any]:
        said = call.said()
        if call.path == KEY:
            return routes_account.key_info(self.engine, self.credentials, UID)
        if call.path == CREATE:
            return routes_trade.create(self.engine, said, fate.fortune)
        if call.path == CANCEL and fate.late_fill and not (order := placing.find(self.engine, said)).waits:
            self.engine.execute(order, order.left)
            return routes_trade.acknowledged(order)
        return route.handler(self.engine, said)

    # -- the hand --------------------------------------------------------------------------------------------------------

    def control(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a script or a test says; tells the emulated time. Refused or ConfigError for what is not understood."""
        with self.lock:
            self.step()
            name = str(said.get("do"))
            own = {"advance": self._advance, "fault": self.havoc.script.told, "mute": self._mute, "drop": self._cut_off}
            if name in own:
                own[name](said)
            else:
                deeds.do(self.engine, name, said)
            self.step()
            return {"at": self.now.isoformat()}

    def _advance(self, said: Mapping[str, Any]) -> None:
        self.clock.hand(timedelta(seconds=float(said.get("seconds", 0))))

    def _cut_off(self, said: Mapping[str, Any]) -> None:
        self._drop(private_only=bool(said.get("private_only")))

    def _mute(self, said: Mapping[str, Any]) -> None:
        self.havoc.script.add({"fault": "mute_stream", "seconds": said.get("seconds", 5)})

    def state(self) -> dict[str, Any]:
        """What auditors compare with: time, balances, positions and open orders, without a key."""
        with self.lock:
            self.step()
            ledger = self.engine.ledger
            return {
                "at": self.now.isoformat(),
                "coins": {coin: amount_text(amount) for coin, amount in ledger.coins.items()},
                "positions": {symbol: amount_text(p.size) for symbol, p in ledger.positions.items() if p.size},
                "stops": {symbol: amount_text(p.stop_loss) for symbol, p in ledger.positions.items() if p.stop_loss is not None},
                "orders": [order.streamed() for order in self.engine.working()],
            }


def _named(call: Call) -> tuple[str | None, str]:
    """Symbol and client's id, as far as a call names them."""
    try:
        said = call.said()
    except Refused:
        return None, ""
    return said.text("symbol", "") or None, said.text("orderLinkId", "")
