"""`decisions`, `decision ID`, `replay ID`: what was asked, answered, believed and paid; from the journal, the cassettes and the ledger."""

import json
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trading_bot.llm.cassette import Cassette
    from trading_bot.orchestrator.dossier import Dossier

_RESULT = 600
_REFUSED = 3
"""So many refused inbox items are told, the newest."""


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, help="How many, the newest last.")
@click.option("--workflow", help="Only of one workflow: screen, analyze, optimize, approve, monitor or review.")
@json_option
@click.pass_obj
def decisions(context: Context, *, limit: int, workflow: str | None, as_json: bool) -> None:
    """List what analysts decided: who answered, how it ended, what it cost."""
    from trading_bot.cli.tables import decisions_table
    from trading_bot.domain.approvals import InboxDone
    from trading_bot.domain.proposals import Decision

    with context.journal() as journal:
        made = [d for d in journal.all(Decision) if workflow in {None, d.workflow}][-limit:]
        refused = [done for done in journal.all(InboxDone) if done.refused][-_REFUSED:]
    with context.spending() as ledger:
        costs = {d.id: ledger.cost_of(d.id) for d in made}
    if as_json:
        click.echo(json.dumps([{**d.model_dump(mode="json"), "cost_usd": str(costs[d.id])} for d in made], indent=2))
    elif not made:
        click.echo("No decision yet; `orchestrator` makes some.")
    else:
        decisions_table(made, costs)
    for done in () if as_json else refused:
        click.echo(f"refused from the inbox: {done.item}: {done.refused}")


@click.command()
@click.argument("identity", metavar="ID")
@json_option
@click.pass_obj
def decision(context: Context, *, identity: str, as_json: bool) -> None:
    """Show one decision: prompt, tool calls with their results, output, checks, verdict, orders, fills, cost. ID may be cut short."""
    found = _dossier(context, identity)
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json"), indent=2))
        return
    for line in _told(found):
        click.echo(line)


@click.command()
@click.argument("identity", metavar="ID")
@click.pass_obj
def replay(context: Context, *, identity: str) -> None:
    """Answer one decision again from its records, without a model, and compare: the same bytes, or what differs."""
    from trading_bot.bootstrap.replaying import replayed

    found = _dossier(context, identity)
    again = replayed(context.home, context.operator, found)
    if again == found.decision.output:
        click.echo(f"{found.decision.id}: the same, {len(again.encode())} bytes. Nothing was asked and nothing was paid.")
        return
    raise click.ClickException(
        f"{found.decision.id} comes out differently.\nrecorded: {found.decision.output}\nreplayed: {again or '(no answer)'}"
    )


def _dossier(context: Context, identity: str) -> "Dossier":
    from trading_bot.llm.cassette import Shelf
    from trading_bot.orchestrator.dossier import dossier, find

    with context.journal() as journal, context.spending() as ledger:
        wanted = find(journal, identity)
        return dossier(journal, wanted, Shelf(context.home.cassettes), ledger.of_decision(wanted.id))


def _told(found: "Dossier") -> "Iterator[str]":
    made = found.decision
    yield f"{made.id}  {made.workflow} {made.subject}  {made.at.isoformat(timespec='seconds')}  task {made.task_run}"
    yield f"answered by {made.analyst}{f' ({made.model})' if made.model else ''}: {made.outcome}{f', {made.note}' if made.note else ''}"
    for question in found.questions:
        yield from _question(question)
    yield f"answer      {made.output or '-'}"
    if found.shadow is not None:
        yield f"the rules   {found.shadow.output or found.shadow.outcome}"
    for proposal in found.proposals:
        prices = f"entry {proposal.entry}, stop {proposal.stop_loss}"
        yield f"proposal    {proposal.id} {proposal.action} {proposal.symbol} {proposal.side}, {prices}"
    for verdict in found.verdicts:
        spoken = "; ".join(f"{f.rule}: {f.actual} (limit {f.limit})" for f in verdict.findings)
        yield f"verdict     {verdict.outcome} {verdict.quantity:f} {verdict.symbol}{f' by {spoken}' if spoken else ''}"
    for intent in found.intents:
        spec = intent.order.spec
        yield f"order       {spec.client_order_id} {spec.side} {spec.quantity:f} {spec.symbol} {spec.type}"
    for fill in found.fills:
        done = f"{fill.side} {fill.quantity:f} {fill.symbol} at {fill.price:f}"
        yield f"fill        {fill.role} {done}, {fill.at.isoformat(timespec='seconds')}"
    yield f"cost        {found.cost_usd:.6f} USD in {len(found.calls)} calls"


def _question(question: "Cassette") -> "Iterator[str]":
    from trading_bot.llm.prompts import WORKFLOWS

    asked = question.request
    yield f"asked       /{WORKFLOWS[asked.workflow].command} {asked.arguments}".rstrip() + (
        f" (repair: {asked.complaint})" if asked.complaint else ""
    )
    yield f"  persona: {asked.persona}".replace("\n", "\n    ")
    yield f"  command: {asked.command}".replace("\n", "\n    ")
    for call in question.calls:
        answer = call.result if len(call.result) <= _RESULT else f"{call.result[:_RESULT]}... ({len(call.result)} characters)"
        yield f"  {call.tool} {call.arguments} -> [{call.evidence}] {'FAILED: ' if call.failed else ''}{answer}"
    for attempt in question.attempts:
        took = f"{attempt.milliseconds / 1000:.1f} s, {attempt.cost_usd:.6f} USD, claude {attempt.version or '-'}"
        yield f"  run {attempt.call_id[:8]}: {attempt.ending}{f', {attempt.note}' if attempt.note else ''} ({took})"
