"""What lets a yes pass on a real clock: the operator's own statement, on this very proposal, of the last minutes."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from builders import AAPL, NOW, proposal
from execution.words import WANTED, asked, ends, say
from trading_bot.domain.approvals import Approval
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.proposals import Proposal
from trading_bot.domain.values import ProposalId
from trading_bot.execution.approvals import APPROVE, Authenticate, approval_fields, waiting
from trading_bot.risk.operator import create_operator_key, pinned_key, sign_statement, verify_statement

PASSPHRASE = "correct horse battery"  # noqa: S105 - of a key that lives as long as its test


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operator's folder."""
    folder = tmp_path_factory.mktemp("operator")
    create_operator_key(folder, PASSPHRASE)
    return folder


def by_key(folder: Path, later: timedelta = timedelta(minutes=1)) -> Authenticate:
    """What a desk on a real clock demands, so much later than the proof was made."""

    def authenticate(word: Approval, wanted: Proposal) -> None:
        verify_statement(word.proof, APPROVE, approval_fields("desk01", wanted), pinned_key(folder), NOW + later)

    return authenticate


def signed(folder: Path, kind: str = APPROVE, desk: str = "desk01", of: Proposal = WANTED) -> str:
    """The operator's statement."""
    return sign_statement(kind, approval_fields(desk, of), folder, PASSPHRASE, NOW)


def test_a_proof_for_this_very_proposal_lets_it_pass(keys: Path) -> None:
    """Signed with the operator's key, a minute ago."""
    desk = asked(authenticate=by_key(keys))
    assert say(desk, proof=signed(keys)) == ""
    assert desk.engine.ledger.books.positions[AAPL].quantity == 149


def test_a_bad_proof_is_refused_and_the_proposal_waits_on(keys: Path, tmp_path: Path) -> None:
    """None, noise, another purpose, another desk, another proposal, the same id with other content, another key, another word."""
    create_operator_key(tmp_path, PASSPHRASE)
    other, larger = proposal(id=ProposalId("proposal-2")), proposal(stop_loss=Decimal(99))
    proofs = [
        "",
        "yes",
        "{}",
        signed(keys, kind="resume"),
        signed(keys, desk="desk02"),
        signed(keys, of=other),
        signed(keys, of=larger),
        signed(tmp_path),
        signed(keys).replace("approve", "APPROVE"),
    ]
    desk = asked(authenticate=by_key(keys))
    for number, proof in enumerate(proofs):
        assert say(desk, proof=proof, item=f"word-{number}"), proof
    assert (len(waiting(desk.journal)), desk.journal.count(OrderIntent), ends(desk)) == (1, 0, [])
    assert say(desk, proof=signed(keys), item="in the end") == ""
    assert desk.engine.ledger.books.positions[AAPL].quantity == 149


def test_a_proof_holds_for_minutes(keys: Path) -> None:
    """One that lay about is none."""
    desk = asked(authenticate=by_key(keys, later=timedelta(minutes=6)))
    assert "make it again at a terminal" in say(desk, proof=signed(keys))
    assert desk.journal.count(OrderIntent) == 0


def test_a_no_needs_no_proof(keys: Path) -> None:
    """Nobody is kept from being careful."""
    desk = asked(authenticate=by_key(keys))
    assert say(desk, approve=False) == ""
    assert ends(desk) == [("denied", "operator")]
