"""`halt`, `reduce-only`, `resume`: what a person tells the desk.

The HALT file is written first and by this process, so that a wedged desk is halted too. Everything else goes through the inbox: the
running desk carries it out, or, where none runs, this command takes the home for a moment and does.
"""

import time
import uuid
from typing import TYPE_CHECKING, TypeVar

import click

from trading_bot.cli.context import Context, person

if TYPE_CHECKING:
    from trading_bot.domain.values import Journaled
    from trading_bot.storage.journal import SqlJournal

R = TypeVar("R", bound="Journaled")
_PATIENCE_S = 20.0
_PAUSE_S = 0.1


@click.command()
@click.option("--flatten", is_flag=True, help="Also cancel entries and close every position.")
@click.option("--reason", default="halted by hand", show_default=True)
@click.pass_obj
def halt(context: Context, *, flatten: bool, reason: str) -> None:
    """Stop all new risk at once. Only `resume` lets the desk go on; closing and protective orders still pass."""
    from trading_bot.domain.records import CommandAction
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.risk.halt import write_halt_file

    context.home.prepare()
    write_halt_file(context.home.halt_file, person(), reason, SystemWallClock().now())
    click.echo("HALT is in place: nothing that adds risk is sent any more.")
    if not (flatten or context.home.has_journal):
        click.echo("No desk has run in this home yet; the first one starts halted.")
        return
    tell(context, CommandAction.FLATTEN if flatten else CommandAction.HALT, reason)


@click.command(name="reduce-only")
@click.option("--reason", default="reduced by hand", show_default=True)
@click.pass_obj
def reduce_only(context: Context, *, reason: str) -> None:
    """Let only closing and protective orders pass."""
    from trading_bot.domain.records import CommandAction

    tell(context, CommandAction.REDUCE_ONLY, reason)


@click.command()
@click.option("--reason", default="resumed by hand", show_default=True)
@click.pass_obj
def resume(context: Context, *, reason: str) -> None:
    """Let a halted or reduce-only desk go on. Asks for the operator's passphrase, except on a simulated desk."""
    from trading_bot.domain.records import CommandAction

    tell(context, CommandAction.RESUME, reason)


def tell(context: Context, action: str, reason: str) -> None:
    """Have a command carried out and say what came of it. ClickException if it was refused, or nobody did it in time."""
    carry_out(context, action, reason)
    with context.journal() as journal:
        click.echo(f"{action.replace('_', '-')}: done. {_what_is(context, journal)}")


def carry_out(context: Context, action: str, reason: str) -> None:
    """Have a command carried out. ClickException if it was refused, or nobody did it in time."""
    from trading_bot.domain.records import Command, CommandAction, CommandDone
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.ports import InboxItem

    command = CommandAction(action)
    with context.journal() as journal:
        proof = _proof(context, journal) if command is CommandAction.RESUME else ""
        body = Command(action=command, by=person(), reason=reason, proof=proof).canonical()
        item = InboxItem(f"command-{uuid.uuid4().hex}", "command", body, SystemWallClock().now())
        journal.post(item)
        done = wait_for(context, journal, CommandDone, item.id)
        if done is None:
            raise click.ClickException("the desk has not answered yet; the command waits in its inbox. See `status`")
        if done.refused:
            raise click.ClickException(f"refused: {done.refused}")


def _what_is(context: Context, journal: "SqlJournal") -> str:
    """The state that came of it, and what is still held: closing orders may have to wait for the market."""
    from trading_bot.domain.orders import OrderRole
    from trading_bot.execution.ledger import Ledger
    from trading_bot.risk.halt import DeskSwitch

    state, _ = DeskSwitch(context.home.halt_file, journal).explain()
    books = Ledger(journal).books
    held = ", ".join(sorted(books.positions)) or "no position"
    closing = ", ".join(sorted({order.symbol for order in books.working_orders() if order.role is OrderRole.CLOSE}))
    return f"The desk is {state}; it holds {held}." + (f" Closing orders wait for the market: {closing}." if closing else "")


def _proof(context: Context, journal: "SqlJournal") -> str:
    """The operator's signed statement; nothing on a simulated desk."""
    from trading_bot.bootstrap.desk import RESUME, resume_fields
    from trading_bot.cli.terminal import ask_passphrase
    from trading_bot.domain.errors import HomeError
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.risk.halt import DeskSwitch
    from trading_bot.risk.operator import sign_statement

    clock = journal.fact("clock kind")
    if clock is None:
        raise HomeError("this home's desk has not come up yet, so there is nothing to resume; start it with `orchestrator`")
    if clock == "simulated":
        return ""
    fields = resume_fields(journal, DeskSwitch(context.home.halt_file, journal).number())
    passphrase = ask_passphrase("Operator's passphrase")
    return sign_statement(RESUME, fields, context.operator, passphrase, SystemWallClock().now())


def _see_it_done(context: Context) -> None:
    """Where no desk runs, take the home and serve the inbox; where one runs, it does."""
    from trading_bot.bootstrap.desk import reopen
    from trading_bot.domain.errors import HomeLockedError
    from trading_bot.execution.clock import SystemWallClock

    try:
        with context.home.lock("command", SystemWallClock().now()):
            assembly = reopen(context.home, context.operator)
            try:
                assembly.desk.session.begin()
            finally:
                assembly.close()
    except HomeLockedError:
        return


def wait_for(context: Context, journal: "SqlJournal", kind: type[R], item: str) -> R | None:
    """See an inbox item done and return the record of its end; None if there is none in time."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        _see_it_done(context)
        done = journal.get(kind, item)
        if done is not None or time.monotonic() > deadline:
            return done
        time.sleep(_PAUSE_S)
