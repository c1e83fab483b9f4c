"""A person's word at the command line: what waits is listed, approved, denied or left to time."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from builders import proposal
from cli.command_line import PASSPHRASE, Desk
from trading_bot.domain.approvals import ApprovalEnded, ApprovalRequest, InboxDone
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.proposals import Proposal, Verdict
from trading_bot.domain.records import TaskRun
from trading_bot.domain.values import ProposalId
from trading_bot.storage.journal import SqlJournal


@pytest.fixture
def asking(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A simulated desk at the open of its first session, which asks a person about two proposals."""
    monkeypatch.setenv("TRADING_BOT__RISK__AUTONOMY", "confirm")
    for workflow in ("pre-market", "market-open"):
        ended = desk.run("run", workflow, "--fast", "--seed", 3)
        assert ended.code == 0, ended.err
    return desk


def journaled(desk: Desk, kind: type[Any]) -> list[Any]:
    """All records of a kind."""
    with SqlJournal.look(desk.home / "journal.db") as journal:
        return list(journal.all(kind))


def test_what_waits_is_listed_with_its_size_its_risk_and_its_reasons(asking: Desk) -> None:
    """By `approvals` and, in short, by `status`; nothing was sent."""
    requests = journaled(asking, ApprovalRequest)
    told = json.loads(asking.run("approvals", "--json").out)
    assert [one["request"] for one in told] == [r.model_dump(mode="json") for r in requests]
    assert len(requests) == 2
    listed = asking.run("approvals").out
    for request in requests:
        assert all(part in listed for part in (request.proposal_id[:8], request.symbol, f"{request.quantity:f}"))
    status = json.loads(asking.run("status", "--json").out)
    assert [one["proposal_id"] for one in status["approvals"]] == [r.proposal_id for r in requests]
    assert "2 waiting, see `approvals`" in asking.run("status").out
    assert journaled(asking, OrderIntent) == []


def test_one_is_approved_by_the_beginning_of_its_id_and_the_other_denied(asking: Desk) -> None:
    """No passphrase on a simulated desk; the size is the one that was told."""
    first, second = journaled(asking, ApprovalRequest)
    approved = asking.run("approve", first.proposal_id[:6])
    assert approved.code == 0, approved.err
    assert f"approved by you, approved by the gate: {first.quantity:f} {first.symbol}" in approved.out
    denied = asking.run("deny", second.proposal_id[:6])
    assert (denied.code, denied.out) == (0, f"denied: {second.symbol} is not entered.\n")
    assert {i.order.spec.symbol for i in journaled(asking, OrderIntent)} == {first.symbol}
    assert [e.outcome for e in journaled(asking, ApprovalEnded)] == ["granted", "denied"]
    assert "Waiting for a person: none" in asking.run("approvals").out


@pytest.mark.parametrize("identity", ["nothing", "zzzzzz", "../../etc", "%%%%%%"])
def test_an_id_that_waits_for_nobody_is_an_error_that_says_where_to_look(asking: Desk, identity: str) -> None:
    """Nothing is put into the inbox."""
    for command in ("approve", "deny"):
        ended = asking.run(command, identity)
        assert ended.code == 1
        assert f"no waiting proposal begins with {identity!r}; `approvals` lists those that wait" in ended.err
    assert journaled(asking, InboxDone) == []


def test_an_id_cut_too_short_is_a_mistake(asking: Desk) -> None:
    """Two characters could be anybody's."""
    ended = asking.run("approve", "ab")
    assert ended.code == 2
    assert "give at least 6 characters" in ended.err


def test_a_fast_desk_that_nobody_answers_ends_its_day_without_a_trade(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request ends by time; a word after that is too late."""
    monkeypatch.setenv("TRADING_BOT__RISK__AUTONOMY", "confirm")
    ended = desk.run("orchestrator", "--fast", "--seed", 3)
    assert ended.code == 0, ended.err
    requests = journaled(desk, ApprovalRequest)
    assert [(e.proposal_id, e.outcome) for e in journaled(desk, ApprovalEnded)] == [(r.proposal_id, "timed_out") for r in requests]
    assert len(requests) == 2
    assert journaled(desk, OrderIntent) == []
    assert {r.status for r in journaled(desk, TaskRun) if r.status.is_end} <= {"done", "skipped"}
    assert "no waiting proposal" in desk.run("approve", requests[0].proposal_id).err


def waiting_for_real(desk: Desk, thesis: str = "a test") -> Proposal:
    """A desk on the real clock that was stopped while a proposal waits: what it would have left in its journal."""
    desk.sign_mandate(risk__autonomy="confirm")
    assert desk.run("run", "pre-market").code == 0
    now = datetime.now(UTC)
    identity = ProposalId(uuid.uuid4().hex)
    wanted = proposal(at=now, id=identity, decision_id=f"decision-{identity}", expires_at=now + timedelta(minutes=15), thesis=thesis)
    request = ApprovalRequest(
        at=now, proposal_id=identity, symbol=wanted.symbol, quantity=Decimal(149), risk=Decimal(450), expires_at=wanted.expires_at
    )
    with SqlJournal.look(desk.home / "journal.db") as journal:
        journal.append(wanted, request)
    return wanted


@pytest.fixture
def real(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk on the real clock under a mandate that asks a person."""
    monkeypatch.setenv("TRADING_BOT__RISK__AUTONOMY", "confirm")
    return desk


def test_a_yes_on_a_real_clock_needs_the_operators_passphrase(real: Desk) -> None:
    """Then every rule judges anew, on that moment's market."""
    wanted = waiting_for_real(real)
    with real.at_terminal("approve", wanted.id[:8]) as child:
        child.expect("a test")
        child.expect("Operator's passphrase: ")
        child.sendline(PASSPHRASE)
        child.expect("approved by you, (approved|rejected) by the gate")
    assert [(e.proposal_id, e.outcome) for e in journaled(real, ApprovalEnded)] == [(wanted.id, "granted")]
    assert len([v for v in journaled(real, Verdict) if v.proposal_id == wanted.id]) == 1


def test_another_passphrase_or_no_terminal_is_no_yes_and_a_no_needs_neither(real: Desk) -> None:
    """The proposal waits on, until somebody says no."""
    wanted = waiting_for_real(real)
    with real.at_terminal("approve", wanted.id) as child:
        child.expect("Operator's passphrase: ")
        child.sendline("something else")
        child.expect("error ")
    piped = real.run("approve", wanted.id)
    assert piped.code == 78
    assert "has to be typed by a person at a terminal" in piped.err
    assert (journaled(real, ApprovalEnded), journaled(real, InboxDone)) == ([], [])
    assert real.run("deny", wanted.id).code == 0
    assert [e.outcome for e in journaled(real, ApprovalEnded)] == ["denied"]


def test_what_a_proposal_says_cannot_repaint_the_terminal_on_which_it_is_approved(real: Desk) -> None:
    """Its reasons were written by somebody else."""
    wanted = waiting_for_real(real, "safe\x1b[2J\x1b[Hbuy\r\nnothing\x07")
    assert not {"\x1b", "\x07", "\r"} & set(real.run("approvals").out)
    with real.at_terminal("approve", wanted.id) as child:
        child.expect("Operator's passphrase: ")
        assert "\x1b[2J" not in child.before
        assert "buy  nothing" in child.before
