"""`reconcile`, `protect`, `flatten`, `guardian`: what is held at the venue, what guards it, and closing it for sure."""

import json
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from trading_bot.cli.context import Context, json_option, person, say

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractContextManager

    from trading_bot.bootstrap.looking import VenueLook
    from trading_bot.config import Config
    from trading_bot.domain.values import Symbol
    from trading_bot.execution.guardian_sight import Holdings

_FLAT_PATIENCE_S = 20.0
_PAUSE_S = 0.1
_VENDOR_PAUSE_S = 1.0
"""A vendor's limit of calls is the desk's as well."""


@click.command()
@json_option
@click.pass_obj
def reconcile(context: Context, *, as_json: bool) -> None:
    """Show broker and books side by side: what differs, why that usually is, and what the desk does about it. Changes nothing."""
    with _looking(context) as look:
        seen = look.holdings()
        found = look.differences(seen)
        books = {} if look.ledger is None else {s: str(p.quantity) for s, p in look.ledger.books.positions.items()}
    rows = [(d.subject, d.books, d.broker, d.kind, d.reaction, d.why) for d in found]
    value = {
        "account": seen.account.account_id,
        "books": None if look.ledger is None else {"cash": str(look.ledger.books.cash), "positions": books},
        "broker": {
            "cash": str(seen.account.cash),
            "positions": {s: str(p.quantity) for s, p in seen.held.items()},
            "orders": len(seen.orders),
        },
        "no_books": look.why_not,
        "differences": [dict(zip(("subject", "books", "broker", "kind", "reaction", "why"), row, strict=True)) for row in rows],
    }
    head = (
        f"Broker {look.broker.name}, account {seen.account.account_id}: {len(seen.positions)} positions, {len(seen.orders)} working orders."
    )
    lines = [head, *([f"NO BOOKS: {look.why_not}"] if look.why_not else [])]
    lines += [f"{d}\n    {d.kind}, so: {d.reaction}; {d.why}" for d in found] or ["Nothing differs."]
    say(value, as_json=as_json, text="\n".join(lines))


@click.command()
@json_option
@click.pass_obj
def protect(context: Context, *, as_json: bool) -> None:
    """Show each position at the broker, the orders that guard it, and what is naked. Changes nothing; the desk and the guardian cure."""
    with _looking(context) as look:
        seen = look.holdings()
    value = [_guarded(seen, symbol) for symbol in seen.held]
    lines = [_guarded_line(row) for row in value] or ["Nothing is held."]
    say({"account": seen.account.account_id, "positions": value}, as_json=as_json, text="\n".join(lines))


def _guarded(seen: "Holdings", symbol: Any) -> dict[str, Any]:  # noqa: ANN401 - a Symbol, whose module is heavy
    """One position with its guards, for JSON."""
    exits = [o for o in seen.of(symbol) if o.side is seen.held[symbol].side.opposite]
    return {
        "symbol": symbol,
        "quantity": str(seen.held[symbol].quantity),
        "naked": str(seen.naked().get(symbol, 0)),
        "guards": [
            {
                "id": o.client_order_id,
                "role": o.role,
                "type": o.type,
                "remaining": str(o.remaining),
                "at": str(o.stop_price or o.limit_price or "market"),
            }
            for o in exits
        ],
    }


def _guarded_line(row: dict[str, Any]) -> str:
    guards = ", ".join(f"{g['role']} {g['remaining']} at {g['at']} ({g['id']})" for g in row["guards"]) or "nothing"
    bare = "" if row["naked"] == "0" else f"  NAKED: {row['naked']}"
    return f"{row['symbol']} {row['quantity']}: guarded by {guards}{bare}"


@click.command()
@click.option("--reason", default="flattened by hand", show_default=True)
@click.option("--kill", is_flag=True, help="Kill a desk that does not answer, and close everything without it.")
@click.pass_context
def flatten(click_context: click.Context, *, reason: str, kill: bool) -> None:
    """Halt, cancel entries, close everything on the account, and see at the broker that it is flat; exit status 1 if it is not.

    The running desk closes what is its own; where none runs, or --kill ends it, this command closes all, also what is not the desk's, and
    also without a journal that can be used.
    """
    context: Context = click_context.obj
    trouble = _flatten_by_desk(context, reason)
    if trouble:
        click.echo(trouble)
    left = None if trouble else _left_over(context)
    alone = kill or context.home.lock_owner() is None
    if left is None or (left.seen.symbols and alone and not left.simulated):
        if alone:
            _flatten_alone(context, reason)
        left = _left_over(context)
    click.echo("\n".join(left.told(alone=alone)))
    if left.seen.symbols:
        click_context.exit(1)


@dataclass(frozen=True)
class _Left:
    """What is still held or rests at the broker."""

    seen: "Holdings"
    ours: "Collection[Symbol]"
    simulated: bool

    def told(self, *, alone: bool) -> list[str]:
        """For a person, and what to do about it. `alone`: everything was tried without a desk."""
        if not self.seen.symbols:
            return ["Flat: nothing is held and nothing rests at the broker."]
        positions = [f"{p.quantity} {s}" for s, p in self.seen.held.items()]
        orders = [f"{o.role} {o.remaining} {o.symbol} ({o.client_order_id})" for o in self.seen.orders]
        mine, foreign = self.seen.only(self.ours).symbols, sorted(self.seen.symbols - set(self.ours))
        lines = [f"NOT FLAT: {', '.join([*positions, *orders])}"]
        if foreign:
            lines.append(f"Not the desk's: {', '.join(foreign)}.")
        if foreign and not alone:
            lines.append("`flatten --kill` ends the desk and closes that too; or close it where it was opened.")
        elif mine and not alone:
            lines.append("If the desk does not do it: `flatten --kill` ends it, and closes without it.")
        elif any(o.role == "close" for o in self.seen.orders):
            lines.append("Closing orders wait for their market. `flatten` again when it is open.")
        elif not self.simulated:
            lines.append("See `protect`, then try again; if that does not help, close it with the broker itself.")
        return lines


def _flatten_by_desk(context: Context, reason: str) -> str:
    """Have the desk close what is its own; return why it did not."""
    from trading_bot.cli.commanding import carry_out
    from trading_bot.domain.errors import DeskError
    from trading_bot.domain.records import CommandAction
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.risk.halt import write_halt_file
    from trading_bot.storage.peek import peek

    context.home.prepare()
    write_halt_file(context.home.halt_file, person(), reason, SystemWallClock().now())
    if not context.home.has_journal:
        return "No desk has run in this home."
    try:
        peek(context.home.database, (), 0)  # whoever flattens does not wait for a journal that somebody keeps locked
        carry_out(context, CommandAction.FLATTEN, reason)
    except (DeskError, click.ClickException) as error:
        return f"Not through the desk: {error}"
    return ""


def _flatten_alone(context: Context, reason: str) -> None:
    from trading_bot.bootstrap.guardian import build_guardian, mode_of
    from trading_bot.cli.guarding import stoppable
    from trading_bot.domain.errors import DeskError
    from trading_bot.monitoring.notify import AppriseNotifier

    config = context.config()
    with stoppable() as stop, AppriseNotifier(config.notify.urls) as notifier:
        setting = context.setting(mode_of(config), simulated=False)
        try:
            _demand_real_clock(context)
            build_guardian(config, setting, notifier, stop, click.echo).flatten(f"{person()}: {reason}")
        except DeskError as error:
            click.echo(f"Not without it either: {error}")


def _left_over(context: Context) -> _Left:
    """What is still held or rests, once the broker had a while for what is the desk's."""
    with _looking(context) as look:
        ours = look.ours()
        deadline = time.monotonic() + (0 if look.simulated else _FLAT_PATIENCE_S)
        while (seen := look.holdings()).only(ours).symbols and time.monotonic() < deadline:
            time.sleep(_PAUSE_S if look.broker.foresees else _VENDOR_PAUSE_S)
    return _Left(seen, ours, look.simulated)


@click.command()
@click.option("--once", is_flag=True, help="Look once, act if something asks for it, and end.")
@click.pass_obj
def guardian(context: Context, *, once: bool) -> None:
    """Watch desk and broker from outside; tell people, and cure or flatten by the mandate when the desk does not. For systemd.

    Needs no desk and no journal. Exit status 1 with --once if something is not as it should be.
    """
    from trading_bot.bootstrap.guardian import build_guardian, mode_of
    from trading_bot.cli.guarding import stoppable
    from trading_bot.monitoring.notify import AppriseNotifier
    from trading_bot.monitoring.systemd import Systemd

    config = context.config()
    _demand_real_clock(context)
    _demand_venue(context, config)
    context.home.prepare()
    with stoppable() as stop, AppriseNotifier(config.notify.urls) as notifier:
        watcher = build_guardian(config, context.setting(mode_of(config), simulated=False), notifier, stop, click.echo)
        if once:
            with closing(watcher):
                found = watcher.look()
            click.echo("All is well." if not found else "\n".join(f"{c.title}: {c.body}" for c in found))
            raise SystemExit(1 if found else 0)
        systemd = Systemd()
        click.echo(f"Guarding {context.home_path} at {config.broker.name}. Ctrl-C stops; the desk goes on without a guardian then.")
        watcher.run(ready=systemd.ready, alive=systemd.alive)


def _facts(context: Context) -> dict[str, str]:
    """What the home's journal says of it; nothing if it cannot be read now."""
    from trading_bot.domain.errors import StorageError
    from trading_bot.storage.peek import peek

    try:
        return peek(context.home.database, (), 0).facts if context.home.has_journal else {}
    except StorageError:
        return {}


def _demand_venue(context: Context, config: "Config") -> None:
    """A guardian that looks at another venue than the desk trades at sees that all is well."""
    from trading_bot.domain.errors import HomeMismatchError

    known = json.loads(_facts(context).get("config", "{}")).get("broker", {}).get("name", config.broker.name)
    if known != config.broker.name:
        raise HomeMismatchError(
            f"the desk in {context.home_path} last traded at {known}, and these settings name {config.broker.name}: "
            f"write `broker: {known}` into {context.kind.config}, or start the desk with these settings first"
        )


def _demand_real_clock(context: Context) -> None:
    """A simulated home has nobody to guard: its market stands still while no process runs."""
    from trading_bot.domain.errors import HomeMismatchError

    if _facts(context).get("clock kind") == "simulated":
        raise HomeMismatchError(
            f"{context.home_path} holds a simulated desk, whose market stands still while it does not run: there is nothing to guard"
        )


def _looking(context: Context) -> "AbstractContextManager[VenueLook]":
    from trading_bot.bootstrap.guardian import mode_of
    from trading_bot.bootstrap.looking import looking

    config = context.config()
    return looking(context.setting(mode_of(config), simulated=False), config)
