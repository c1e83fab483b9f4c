"""From a person's session to an order: a real server, the desk's door or inbox, engine and venue; and desks that die or are busy."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cli.command_line import Desk
from tools.test_stdio_servers import call, configured, text_of
from trading_bot import config
from trading_bot.bootstrap import desk as bootstrap
from trading_bot.bootstrap.doors import desk_socket
from trading_bot.bootstrap.setting import Setting
from trading_bot.domain.approvals import InboxDone
from trading_bot.domain.mandate import Mode
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.proposals import Decision, Proposal, Verdict
from trading_bot.domain.values import Symbol
from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal
from trading_bot.tools.desk_socket import NAME, ask_desk
from trading_bot.tools.registry import Toolset

T = TypeVar("T")
SEED = 3
MORNING = ("pre-market", "market-open")
EXPOSURE = "get_portfolio_exposure"


def morning(home: Path, tasks: tuple[str, ...] = MORNING) -> bootstrap.Assembly:
    """A simulated desk at the open of its first session, after these tasks."""
    setting = Setting(Mode.PAPER, simulated=True, home=Home(home), operator=home / "nobody")
    assembly = bootstrap.build(config.load(flags={"seed": SEED}), setting)
    bootstrap.announce(assembly, "test")
    assembly.desk.session.begin()
    now = assembly.desk.clock.now()
    for slot in assembly.scheduler.slots_between(now.date(), now.date()):
        if slot.task in tasks:
            assembly.desk.session.wait(slot.due)
            TradingOrchestrator(assembly.desk, assembly.scheduler, assembly.stop).run_slot(slot)
    return assembly


def trade_in(assembly: bootstrap.Assembly) -> dict[str, Any]:
    """What a person would propose at the desk's moment: a symbol that the morning left alone, at the market, with a stop 4 % below."""
    desk = assembly.desk
    known = {p.symbol for p in assembly.journal.all(Proposal)}
    symbol = next(s for s in desk.universe if s not in known)
    quote = desk.view.quote(symbol)
    assert quote is not None
    prices = {"entry": float(quote.ask), "stop": round(float(quote.bid) * 0.96, 2)}
    return {"symbol": symbol, **prices, "confidence": 0.6, "thesis": "a test"}


def propose(home: Path, arguments: dict[str, Any]) -> dict[str, Any]:
    """File a proposal through the risk server, as a process of its own."""
    result = call(configured(Toolset.RISK, home), "propose_trade", arguments)
    assert not result.is_error, text_of(result)
    told: dict[str, Any] = result.structured_content
    return told


def entered(journal: Any, symbol: Symbol) -> Decimal:  # noqa: ANN401 - any journal
    """Quantity that was sent to enter a symbol."""
    specs = (i.order.spec for i in journal.all(OrderIntent))
    return sum((s.quantity for s in specs if s.symbol == symbol and s.role.adds_risk), Decimal(0))


def test_a_trade_proposed_at_a_running_desk_becomes_an_order_under_its_mandate(tmp_path: Path) -> None:
    """The server asks the desk, the desk files it, the engine judges it at its next step."""
    assembly = morning(tmp_path)
    wanted = trade_in(assembly)
    with desk_socket(assembly):
        told = propose(tmp_path, wanted)
    assert told["as_of"] == assembly.desk.clock.now().isoformat().replace("+00:00", "Z")
    assert [item.kind for item in assembly.journal.pending()] == ["proposal"]
    assembly.inbox.serve()
    verdict = next(v for v in assembly.journal.all(Verdict) if v.proposal_id == told["proposal"])
    assert verdict.quantity == entered(assembly.journal, wanted["symbol"]) > 0
    assert wanted["symbol"] in assembly.desk.engine.ledger.books.positions
    assert verdict.quantity * verdict.price <= Decimal("0.05") * assembly.desk.engine.ledger.equity_newest
    assert [d.workflow for d in assembly.journal.all(Decision) if d.subject == wanted["symbol"] and d.analyst == "interactive"] == [
        "propose"
    ]


def test_a_trade_proposed_without_a_desk_waits_in_the_inbox_for_the_next(tmp_path: Path) -> None:
    """Filed by the server's own hand, and judged by the process that comes up."""
    wanted = trade_in(morning(tmp_path))
    told = propose(tmp_path, wanted)
    assert "no desk runs here" in told["status"]
    following = morning(tmp_path, ())
    assert entered(following.journal, wanted["symbol"]) > 0
    assert [(d.what, d.refused) for d in following.journal.all(InboxDone)] == [("proposal", "")]


def test_a_desk_whose_loop_works_lets_the_server_answer_by_itself(tmp_path: Path) -> None:
    """Looking and proposing alike; nothing waits for the loop, and nothing is lost."""
    assembly = morning(tmp_path)
    wanted = trade_in(assembly)
    with desk_socket(assembly), assembly.desk.session.turn:
        looked = call(configured(Toolset.RISK, tmp_path), EXPOSURE, {})
        propose(tmp_path, wanted)
    assert not looked.is_error, text_of(looked)
    assembly.inbox.serve()
    assert entered(assembly.journal, wanted["symbol"]) > 0


def test_the_loop_lets_others_look_while_it_waits_and_takes_its_turn_back(tmp_path: Path) -> None:
    """Also when a wait fails."""
    desk = morning(tmp_path, ()).desk
    seen: list[bool] = []

    class Agenda:
        """Waits once, on a clock that breaks."""

        def next_due(self) -> Any:  # noqa: ANN401 - a time, or None
            """A moment from now."""
            return desk.clock.now().replace(year=desk.clock.now().year + 1)

        def run_due(self) -> None:
            """Never."""

    def broken(_moment: object) -> None:
        seen.append(desk.session.turn.locked())
        raise ZeroDivisionError

    desk.clock.sleep_until = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(ZeroDivisionError):
        desk.session.run(Agenda())
    assert (seen, desk.session.turn.locked()) == ([False], False)


@contextmanager
def running(desk: Desk) -> Iterator[subprocess.Popen[bytes]]:
    """A paper desk on the real clock in a process of its own, whose door is open."""
    environment = {**os.environ, "TRADING_BOT_HOME": str(desk.home), "TRADING_BOT_OPERATOR_DIR": str(desk.operator)}
    command = [sys.executable, "-m", "trading_bot", "orchestrator"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
        try:
            until(lambda: ask_desk(desk.home, EXPOSURE, {}))
            yield process
        finally:
            process.kill()


def until(look: Callable[[], T | None], seconds: float = 30.0) -> T:
    """What `look` finds, as soon as it finds something."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while (found := look()) is None:
        assert time.monotonic() < deadline, "nothing came"
        pause.wait(0.05)
    return found


def verdict_on(desk: Desk, identity: str) -> Verdict | None:
    """The gate's verdict on a proposal, from the journal."""
    with SqlJournal.look(desk.home / "journal.db") as journal:
        return next((v for v in journal.all(Verdict) if v.proposal_id == identity), None)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A signed home that has never run."""
    monkeypatch.chdir(tmp_path)
    made = Desk(tmp_path / "home", tmp_path / "operator", lambda *_: pytest.fail("no command is run here"))
    made.sign_mandate()
    return made


def test_a_real_desk_answers_at_its_door_and_judges_what_is_filed_there(desk: Desk) -> None:
    """Within seconds, in its own process, by its own mandate."""
    with running(desk):
        looked = call(configured(Toolset.RISK, desk.home), EXPOSURE, {})
        assert looked.structured_content.get("journal_age_seconds") is None
        told = propose(desk.home, {"symbol": "AAPL", "entry": 1.0, "stop": 0.5, "confidence": 0.6, "thesis": "a price of long ago"})
        verdict = until(lambda: verdict_on(desk, told["proposal"]))
    assert (str(verdict.outcome), verdict.digests) == ("rejected", ())


def test_a_desk_that_was_killed_leaves_its_door_to_the_next(desk: Desk) -> None:
    """In between the server answers by itself and says how old the journal is."""
    with running(desk) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        assert (desk.home / NAME).exists()
        alone = call(configured(Toolset.RISK, desk.home), EXPOSURE, {})
        assert alone.structured_content["journal_age_seconds"] >= 0
        told = propose(desk.home, {"symbol": "AAPL", "entry": 1.0, "stop": 0.5, "confidence": 0.6, "thesis": "a price of long ago"})
    with running(desk):
        assert until(lambda: verdict_on(desk, told["proposal"])).outcome == "rejected"
