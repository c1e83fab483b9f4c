"""`approvals`, `approve ID`, `deny ID`: a person's word on proposals that wait for one.

A yes needs the operator's passphrase, except on a simulated desk; a no needs nothing. Who does not answer in time has said no.
"""

import json
import uuid
from typing import TYPE_CHECKING

import click

from trading_bot.cli.commanding import wait_for
from trading_bot.cli.context import Context, json_option, person

if TYPE_CHECKING:
    from trading_bot.domain.proposals import Proposal
    from trading_bot.storage.journal import SqlJournal

_LEAST_PREFIX = 6


@click.command()
@json_option
@click.pass_obj
def approvals(context: Context, *, as_json: bool) -> None:
    """List the proposals that wait for a person: what, how much, until when."""
    from trading_bot.cli.tables import approvals_table
    from trading_bot.domain.proposals import Proposal
    from trading_bot.execution.approvals import waiting

    with context.journal() as journal:
        found = [(r, p) for r in waiting(journal) if (p := journal.get(Proposal, r.proposal_id)) is not None]
    if as_json:
        told = [{"request": r.model_dump(mode="json"), "proposal": p.model_dump(mode="json")} for r, p in found]
        click.echo(json.dumps(told, indent=2))
    else:
        approvals_table(found)


@click.command()
@click.argument("identity", metavar="ID")
@click.pass_obj
def approve(context: Context, *, identity: str) -> None:
    """Let a waiting proposal pass: every rule judges it again on fresh prices. ID may be cut short to 6 characters."""
    _say(context, identity, approve=True)


@click.command()
@click.argument("identity", metavar="ID")
@click.pass_obj
def deny(context: Context, *, identity: str) -> None:
    """Refuse a waiting proposal. ID may be cut short to 6 characters."""
    _say(context, identity, approve=False)


def _say(context: Context, identity: str, *, approve: bool) -> None:
    from trading_bot.domain.approvals import Approval, InboxDone
    from trading_bot.domain.proposals import Verdict
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.ports import InboxItem
    from trading_bot.risk.gate import approved_verdict_id

    with context.journal() as journal:
        proposal = _waiting(journal, identity)
        proof = _proof(context, journal, proposal) if approve else ""
        body = Approval(proposal_id=proposal.id, approve=approve, by=person(), proof=proof).canonical()
        item = InboxItem(f"approval-{uuid.uuid4().hex}", "approval", body, SystemWallClock().now())
        journal.post(item)
        done = wait_for(context, journal, InboxDone, item.id)
        if done is None:
            raise click.ClickException("the desk has not answered yet; your word waits in its inbox. See `approvals`")
        if done.refused:
            raise click.ClickException(f"refused: {done.refused}")
        verdict = journal.get(Verdict, approved_verdict_id(proposal.id)) if approve else None
        if verdict is None:
            click.echo(f"denied: {proposal.symbol} is not entered.")
            return
        spoken = "; ".join(f"{f.rule}: {f.actual} (limit {f.limit})" for f in verdict.findings)
        told = f"approved by you, {verdict.outcome} by the gate: {verdict.quantity:f} {verdict.symbol}"
        click.echo(f"{told} ({spoken})" if spoken else told)


def _waiting(journal: "SqlJournal", identity: str) -> "Proposal":
    from trading_bot.domain.proposals import Proposal
    from trading_bot.execution.approvals import waiting

    if len(identity) < _LEAST_PREFIX:
        raise click.UsageError(f"give at least {_LEAST_PREFIX} characters of the id; `approvals` lists them")
    found = [r.proposal_id for r in waiting(journal) if r.proposal_id.startswith(identity)]
    proposal = journal.get(Proposal, found[0]) if len(found) == 1 else None
    if proposal is None:
        which = f"{len(found)} waiting proposals begin" if found else "no waiting proposal begins"
        raise click.ClickException(f"{which} with {identity!r}; `approvals` lists those that wait")
    return proposal


def _proof(context: Context, journal: "SqlJournal", proposal: "Proposal") -> str:
    """The operator's signed statement; nothing on a simulated desk."""
    from trading_bot.cli.tables import plain
    from trading_bot.cli.terminal import ask_passphrase
    from trading_bot.execution.approvals import APPROVE, approval_fields
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.risk.operator import sign_statement

    if journal.fact("clock kind") == "simulated":
        return ""
    click.echo(f"{proposal.side} {proposal.symbol}, entry {proposal.entry}, stop {proposal.stop_loss}: {plain(proposal.thesis)}")
    passphrase = ask_passphrase("Operator's passphrase")
    return sign_statement(APPROVE, approval_fields(journal.desk, proposal), context.operator, passphrase, SystemWallClock().now())
